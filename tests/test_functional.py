"""The functional API for chains of layers, models inside models, and clones."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnet as keras
from fastnet import Input, Layer, Model, Sequential, layers
from fastnet.layers import Dense, Dropout, Flatten, InputLayer
from fastnet.models import clone_model, load_model, model_from_json
from fastnet.training.tape import can_record
from fastnet.utils import set_random_seed

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 8)).astype(np.float32)
Y = RNG.integers(0, 3, 60)


def digest(model: Any) -> bytes:
    return b"".join(w.tobytes() for w in model.get_weights())


def functional(seed: int = 0) -> Model:
    set_random_seed(seed)
    inputs = Input((8,))
    x = Dense(6, activation="relu")(inputs)
    x = Dropout(0.2)(x)
    return Model(inputs, Dense(3, activation="softmax")(x))


def sequential(seed: int = 0) -> Sequential:
    set_random_seed(seed)
    return Sequential([Input((8,)), Dense(6, activation="relu"), Dropout(0.2), Dense(3, activation="softmax")])


def trained(model: Any) -> Any:
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X, Y, epochs=3, batch_size=16, verbose=0)
    return model


# A chain of layers ----------------------------------------------------------------------------------------------------


def test_a_model_of_tensors_is_the_sequential_of_the_same_layers() -> None:
    one, other = functional(), sequential()
    assert digest(one) == digest(other)
    assert [w.name for w in one.weights] == [w.name for w in other.weights]
    set_random_seed(1)
    trained(one)
    set_random_seed(1)
    trained(other)
    assert digest(one) == digest(other)
    assert one.evaluate(X, Y, verbose=0) == other.evaluate(X, Y, verbose=0)
    assert can_record(one, trains=True, scores=True)


def test_the_classes_are_related_as_in_keras() -> None:
    assert keras.Model is keras.models.Model
    assert isinstance(sequential(), Model)
    assert isinstance(functional(), Model)
    assert not isinstance(functional(), Sequential)
    assert keras.Layer is layers.Layer


def test_the_input_layer_is_the_first_layer_of_a_model_of_tensors() -> None:
    model = functional()
    assert [layer.name for layer in model.layers] == ["input_layer", "dense", "dropout", "dense_1"]
    assert isinstance(model.get_layer(index=0), InputLayer)
    assert model.get_layer("dense_1").output_shape == (3,)
    assert [layer.name for layer in sequential().layers] == ["dense", "dropout", "dense_1"]
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert "input_layer (InputLayer)" in lines[0]
    assert 'Model: "functional"' in lines[0]
    assert (model.input_shape, model.output_shape) == ((None, 8), (None, 3))


def test_lists_of_one_tensor_are_accepted() -> None:
    inputs = Input((8,), name="x")
    outputs = Dense(2)(inputs)
    model = Model(inputs=[inputs], outputs=[outputs], name="one", trainable=False)
    assert model.name == "one"
    assert not model.trainable_weights
    assert model.inputs == [inputs]
    assert model.outputs == [outputs]
    assert model.input is inputs
    assert model.output is outputs
    assert model.layers[0].name == "x"


def test_a_tensor_has_a_shape_and_no_numbers() -> None:
    tensor = Dense(5)(Input((4,)))
    assert (tensor.shape, tensor.ndim, tensor.dtype, tensor.name) == ((None, 5), 2, "float32", "dense")
    assert repr(tensor) == "Tensor(shape=(None, 5), layer='dense')"
    for use in (
        lambda: tensor + 1,
        lambda: 2 * tensor,
        lambda: tensor - tensor,
        lambda: tensor[0],
        lambda: np.asarray(tensor),
        lambda: list(tensor),
        lambda: np.ones(5) + tensor,
    ):
        with pytest.raises(TypeError, match="holds no numbers"):
            use()


def test_what_is_no_chain_is_refused() -> None:
    a, b = Input((4,)), Input((4,))
    x = Dense(3)(a)
    with pytest.raises(ValueError, match="inputs is a list of length 2; a model is one chain of layers"):
        Model([a, b], x)
    with pytest.raises(ValueError, match="outputs is a dict of length 2; a model is one chain of layers"):
        Model(a, {"p": x, "q": Dense(1)(x)})
    with pytest.raises(ValueError, match="were not computed from inputs"):
        Model(b, x)
    with pytest.raises(ValueError, match="the same tensor"):
        Model(a, a)
    with pytest.raises(ValueError, match="called on 2 tensors; a model is one chain"):
        Dense(3)([a, b])
    with pytest.raises(TypeError, match="inputs must be a tensor"):
        Model(X, x)
    with pytest.raises(TypeError, match="outputs must be a tensor"):
        Model(a, Dense(3))
    with pytest.raises(TypeError, match=r"Model\(inputs, outputs\)"):
        Model()
    shared = Dense(4)
    with pytest.raises(ValueError, match="already in the model"):
        Model(a, shared(shared(a)))


def test_a_subclass_with_its_own_call_is_refused() -> None:
    class Mine(Model):
        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(TypeError, match="put a Layer with"):
        Mine()


def test_a_subclass_may_make_its_tensors_itself() -> None:
    class Mine(Model):
        def __init__(self) -> None:
            inputs = Input((8,))
            super().__init__(inputs, Dense(3, "softmax")(inputs))

    assert trained(Mine()).predict(X, verbose=0).shape == (60, 3)


def test_a_wrong_shape_is_refused_when_the_layer_is_called() -> None:
    layer = Dense(3)
    layer(Input((4,)))
    with pytest.raises(ValueError, match=r"expects examples of shape \(4,\), but is given \(5,\)"):
        layer(Input((5,)))


def test_two_models_may_share_layers() -> None:
    """An autoencoder and its encoder: the encoder has the weights that the autoencoder trains."""
    inputs = Input((8,))
    code = Dense(2, activation="tanh")(inputs)
    encoder, autoencoder = Model(inputs, code), Model(inputs, Dense(8)(code))
    before = digest(encoder)
    autoencoder.compile("sgd", "mse")
    autoencoder.fit(X, X, verbose=0)
    assert digest(encoder) != before
    assert digest(encoder) == digest(autoencoder)[: len(before)]
    assert [layer.name for layer in autoencoder.layers] == ["input_layer", "dense", "dense_1"]


def test_a_model_may_begin_and_end_inside_another() -> None:
    whole = trained(functional())
    middle = Model(whole.get_layer("dense").output, whole.output)
    front = Model(whole.inputs, whole.layers[1].output)
    assert [type(layer) for layer in middle.layers] == [InputLayer, Dropout, Dense]
    hidden = front.predict(X, verbose=0)
    assert middle.predict(hidden, verbose=0).tobytes() == whole.predict(X, verbose=0).tobytes()


def test_a_sequential_has_tensors_once_it_is_built() -> None:
    model = Sequential([Dense(6), Dense(3)])
    assert not hasattr(model, "inputs")
    assert not hasattr(model.layers[0], "output")
    model.build((None, 8))
    front = Model(model.inputs, model.layers[0].output)
    assert front.predict(X, verbose=0).shape == (60, 6)
    start = Input((8,))
    model = Sequential([start, Dense(6)])
    assert model.inputs == [start]
    assert model.outputs == [model.layers[0].output]
    model.add(Dense(2))
    assert model.output.shape == (None, 2)
    assert model.layers[1].input is model.layers[0].output


def test_a_layer_of_ones_own_is_called_on_tensors() -> None:
    class Scale(Layer):
        def build(self, input_shape: Any) -> None:
            self.factor = self.add_weight(input_shape, "ones", name="factor")

        def call(self, x: Any) -> Any:
            return x * self.factor.numpy()

        def gradient(self, x: Any, y: Any, dy: Any) -> Any:
            return dy * self.factor.numpy(), [(dy * x).sum(axis=0)]

    inputs = Input((8,))
    model = Model(inputs, Dense(3, "softmax")(Scale()(inputs)))
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert model.check_gradients(X, Y)


@pytest.mark.parametrize("make", [functional, sequential])
@pytest.mark.parametrize(
    ("loss", "metrics"),
    [
        (["mse"], [["mae"]]),
        ({"dense_1": "mse"}, {"dense_1": "mae"}),
        ({"dense_1": ["mse"]}, {"dense_1": ["mae"]}),
        ("mse", {"dense_1": ["mae"]}),
    ],
)
def test_loss_and_metrics_may_name_the_only_output(make: Any, loss: Any, metrics: Any) -> None:
    model = make()
    model.compile("sgd", loss, metrics=metrics)
    assert type(model.loss) is keras.losses.MeanSquaredError
    assert model.metrics_names == ["loss", "mae"]
    with pytest.raises(ValueError, match="loss is for the output 'other', but the model has one output, 'dense_1'"):
        model.compile("sgd", {"other": "mse"})


def test_the_shape_of_the_output_is_known_without_building() -> None:
    model = Sequential([Flatten(), Dense(4), Dense(8)])
    assert model.compute_output_shape((5, 2, 3)) == (5, 8)
    assert not model.built


# Models inside models -------------------------------------------------------------------------------------------------


def nested(seed: int = 0, shape: Any = (8,)) -> Sequential:
    set_random_seed(seed)
    inner = Sequential([Dense(6, activation="relu"), Dropout(0.2)])
    return Sequential([*([Input(shape)] if shape else []), inner, Dense(3, activation="softmax")])


@pytest.mark.parametrize("shape", [(8,), None])
def test_a_sequential_inside_a_sequential_trains_like_a_flat_one(shape: Any) -> None:
    one, other = nested(shape=shape), sequential()
    set_random_seed(1)
    trained(one) if shape else one.build((None, 8))
    set_random_seed(1)
    trained(other) if shape else None
    if shape:
        assert digest(one) == digest(other)
        assert can_record(one, trains=True, scores=True)
    assert [w.shape for w in one.get_weights()] == [w.shape for w in other.get_weights()]
    assert one.layers[0].predict(X, verbose=0).shape == (60, 6)
    assert one.count_params() == other.count_params()


def test_a_model_is_called_on_a_tensor_like_a_layer() -> None:
    front, inputs = functional(), Input((8,))
    model = trained(Model(inputs, Dense(3, "softmax")(front(inputs))))
    assert [layer.name for layer in model.layers] == ["input_layer", "functional", "dense"]
    assert model.predict(X, verbose=0) == pytest.approx(model.layers[2](front.predict(X, verbose=0)), abs=1e-6)


def test_a_model_with_an_input_tells_the_outer_model_its_shape() -> None:
    model = Sequential([sequential(), Dense(2)])
    assert model.built
    assert model.input_shape == (None, 8)
    with pytest.raises(ValueError, match="expects examples of shape"):
        Sequential([Input((9,)), sequential()])


def test_models_get_numbers_if_the_user_has_not_named_them() -> None:
    model = Sequential([Sequential([Dense(4)]), Sequential([Dense(4)])])
    assert [layer.name for layer in model.layers] == ["sequential", "sequential_1"]
    with pytest.raises(ValueError, match="already has a layer called 'a'"):
        Sequential([Sequential([Dense(4)], name="a"), Sequential([Dense(4)], name="a")])


def test_what_cannot_be_inside_a_model_is_refused() -> None:
    model, layer = Sequential([Dense(3)]), Dense(3)
    for itself in (model, Sequential()):
        with pytest.raises(ValueError, match="already in the model"):
            itself.add(itself)
    with pytest.raises(ValueError, match="already in the model"):
        Sequential([layer, Sequential([layer])])
    inner = model
    Sequential([inner, Dense(2)])
    for change in (lambda: inner.add(Dense(2)), inner.pop):
        with pytest.raises(RuntimeError, match="a layer of another"):
            change()


def test_the_trainable_of_an_inner_model_holds_for_its_layers() -> None:
    model = nested()
    model.layers[0].trainable = False
    before = model.get_weights()
    trained(model)
    after = model.get_weights()
    assert [(a == b).all() for a, b in zip(before, after, strict=True)] == [True, True, False, False]


def test_the_summary_lists_the_layers_of_inner_models_if_asked() -> None:
    model = Sequential([Input((8,)), Sequential([Sequential([Dense(6, name="deep")], name="b")], name="a"), Dense(3)])
    plain: list[str] = []
    model.summary(print_fn=plain.append)
    assert "a (Sequential)" in plain[0]
    assert "deep" not in plain[0]
    assert "(None, 6)" in plain[0]
    expanded: list[str] = []
    model.summary(print_fn=expanded.append, expand_nested=True)
    assert "    b (Sequential)" in expanded[0]
    assert "        deep (Dense)" in expanded[0]
    assert plain[0].splitlines()[-3:] == expanded[0].splitlines()[-3:]


def test_popping_an_inner_model_takes_its_layers_away() -> None:
    model = Sequential([Input((8,)), Dense(4), Sequential([Dense(5), Dense(6)])])
    assert model.output_shape == (None, 6)
    model.pop()
    assert model.output_shape == (None, 4)
    assert len(model.weights) == 2


# Keeping --------------------------------------------------------------------------------------------------------------

MAKERS = [functional, nested, lambda: Sequential([functional(), Dense(3, "softmax")])]


@pytest.mark.parametrize("make", MAKERS)
def test_a_model_is_saved_and_loaded(make: Any, tmp_path: Path) -> None:
    model = trained(make())
    model.save(tmp_path / "m.safetensors")
    loaded = load_model(tmp_path / "m.safetensors")
    assert type(loaded) is type(model)
    assert repr(loaded) == repr(model)
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    assert loaded.predict(X, verbose=0).tobytes() == model.predict(X, verbose=0).tobytes()
    for each in (model, loaded):
        set_random_seed(5)
        each.fit(X, Y, verbose=0)
    assert digest(loaded) == digest(model)
    model.save_weights(tmp_path / "m.weights.safetensors")
    again = make(seed=9) if make is not MAKERS[2] else make()
    again.load_weights(tmp_path / "m.weights.safetensors")
    assert digest(again) == digest(model)


@pytest.mark.parametrize("make", MAKERS)
def test_a_model_is_described_and_copied(make: Any) -> None:
    model = trained(make())
    again = model_from_json(model.to_json())
    assert type(again) is type(model)
    assert again.to_json() == model.to_json()
    assert json.loads(model.to_json())["class_name"] == ("Functional" if type(model) is Model else "Sequential")
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert digest(other) == digest(model)
        assert other.predict(X, verbose=0).tobytes() == model.predict(X, verbose=0).tobytes()
        assert other.output.shape == (None, 3)
    assert model.check_gradients(X, Y)


def test_a_copy_of_a_layer_does_not_hold_the_chain() -> None:
    big = Dense(1000)
    small = Dense(2)
    small(big(Input((1000,))))
    assert len(pickle.dumps(small)) < 100_000
    assert not hasattr(copy.deepcopy(small), "output")


def test_an_unknown_model_or_a_misplaced_input_is_refused() -> None:
    config = functional().get_config()
    config["layers"].append(config["layers"][0])
    with pytest.raises(ValueError, match="layer 4: an InputLayer can only be the first"):
        Model.from_config(config)


def test_the_shapes_in_a_file_are_checked_also_in_inner_models(tmp_path: Path) -> None:
    from fastnet.saving import ModelFormatError
    from fastnet.saving.layout import read, write
    from fastnet.saving.state import contents_of

    model = nested()
    contents = contents_of(model, "model")
    inner = contents.about["architecture"]["layers"][0]["config"]["layers"][0]["config"]
    inner["units"] = 10**9
    write(str(tmp_path / "m.safetensors"), contents)
    assert read(str(tmp_path / "m.safetensors"))
    with pytest.raises(ModelFormatError, match=r"weights of shape \(8, 1000000000\)"):
        load_model(tmp_path / "m.safetensors")


def test_the_layers_of_inner_models_count_for_the_limit_of_a_file(tmp_path: Path) -> None:
    from fastnet.saving import ModelFormatError
    from fastnet.saving.layout import LAYER_LIMIT, write
    from fastnet.saving.state import contents_of

    model = Sequential([Input((3,)), Sequential([Flatten(name="a")])])
    contents = contents_of(model, "model")
    inner = contents.about["architecture"]["layers"][0]["config"]["layers"]
    inner += [{"class_name": "Flatten", "config": {"name": f"f{i}"}} for i in range(LAYER_LIMIT)]
    write(str(tmp_path / "m.safetensors"), contents)
    with pytest.raises(ModelFormatError, match="1025 layers; a model file has at most 1024"):
        load_model(tmp_path / "m.safetensors")
    many = Sequential([Sequential([Flatten() for _ in range(520)]) for _ in range(2)])
    with pytest.raises(ValueError, match="at most 1024 layers"):
        many.save(tmp_path / "n.safetensors")


# Clones ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [*MAKERS, lambda: Sequential([Dense(3)])])
def test_a_clone_has_the_layers_with_new_weights(make: Any) -> None:
    model = make()
    clone = clone_model(model)
    assert type(clone) is type(model)
    assert repr(clone) == repr(model)
    assert digest(clone) != digest(model) or not model.built
    assert clone.loss is None


def test_a_clone_is_compiled_like_the_model() -> None:
    model = functional()
    model.compile(keras.optimizers.Adam(0.5), "mse", metrics=["mae"], weighted_metrics=["mse"])
    clone = clone_model(model)
    assert clone.optimizer is not model.optimizer
    assert clone.optimizer.learning_rate == pytest.approx(0.5)
    assert [(m.name, m.weighted) for m in clone.metrics] == [(m.name, m.weighted) for m in model.metrics]
    y = np.ones((60, 3))
    clone.fit(X, y, verbose=0)
    assert model.optimizer is not None
    assert model.optimizer.iterations == 0


@pytest.mark.parametrize("make", [functional, sequential, lambda: Sequential([Dense(3)])])
def test_a_function_may_make_the_layers_of_a_clone(make: Any) -> None:
    def renamed(layer: Any) -> Any:
        return type(layer).from_config(layer.get_config() | {"name": f"{layer.name}_new"})

    model = make()
    clone = clone_model(model, clone_function=renamed)
    names = [layer.name for layer in model.layers if not isinstance(layer, InputLayer)]
    assert [layer.name for layer in clone.layers if not isinstance(layer, InputLayer)] == [f"{n}_new" for n in names]
    assert clone.built == model.built


def test_a_function_may_add_layers_to_a_clone() -> None:
    def call(layer: Any, tensor: Any) -> Any:
        output = layer(tensor)
        return Dropout(0.5)(output) if isinstance(layer, Dense) else output

    inputs = Input((8,))
    model = Model(inputs, Dense(3)(Dense(6)(inputs)))
    clone = clone_model(model, clone_function=lambda layer: layer, call_function=call)
    assert [type(layer) for layer in clone.layers] == [InputLayer, Dense, Dropout, Dense, Dropout]
    assert digest(clone) == digest(model)
    with pytest.raises(ValueError, match="call_function is for a Model"):
        clone_model(sequential(), call_function=call)


def test_a_recursive_clone_reaches_the_layers_of_inner_models() -> None:
    seen: list[str] = []

    def noted(layer: Any) -> Any:
        seen.append(type(layer).__name__)
        return type(layer).from_config(layer.get_config())

    model = nested()
    clone_model(model, clone_function=noted)
    assert seen == ["Sequential", "Dense"]
    seen.clear()
    clone = clone_model(model, clone_function=noted, recursive=True)
    assert seen == ["Dense", "Dropout", "Dense"]
    clone.set_weights(model.get_weights())
    assert clone.predict(X, verbose=0).tobytes() == model.predict(X, verbose=0).tobytes()


class Twice(Layer):
    def call(self, x: Any, training: bool = False) -> Any:
        return 2 * x


@pytest.mark.parametrize("wrap", [lambda tensor: tensor, lambda tensor: [tensor]])
def test_a_clone_on_a_given_input_has_layers_of_ones_own_in_inner_models(wrap: Any) -> None:
    inputs = Input((8,))
    inner = Sequential([Twice(), Dense(3)])
    for model in Sequential([Input((8,)), inner]), Model(inputs, Sequential([Twice(), Dense(3)])(inputs)):
        clone = clone_model(model, wrap(Input((8,), name="other")))
        assert [type(layer) for layer in clone.layers] == [type(layer) for layer in model.layers]
        assert clone.layers[-1] is not model.layers[-1]
        clone.set_weights(model.get_weights())
        assert clone.predict(X, verbose=0).tobytes() == model.predict(X, verbose=0).tobytes()
        with pytest.raises(TypeError, match="input_tensors must be None or a tensor"):
            clone_model(model, [1, 2])


def test_the_shape_after_a_layer_that_finds_it_by_a_call() -> None:
    class Halves(Layer):
        def call(self, x: Any, training: bool = False) -> Any:
            return x[:, ::2]

    model = Sequential([Halves(), Twice()])
    assert model.compute_output_shape((None, 6)) == (None, 3)


# A model without weights ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "shape"),
    [
        ([layers.ReLU()], (3,)),
        ([Flatten()], (2, 4)),
        ([layers.Rescaling(2.0), layers.Softmax()], (3,)),
        ([layers.Reshape((6,)), Dropout(0.5)], (2, 3)),
        ([Dense(4), Flatten()], (3, 5)),
    ],
)
def test_a_model_that_ends_without_dense_needs_no_input(entries: list[Any], shape: Any) -> None:
    model = Sequential(entries)
    x = np.abs(RNG.standard_normal((10, *shape))).astype(np.float32)
    y = np.ones((10, *Sequential([Input(shape), *copy.deepcopy(entries)]).output_shape[1:]))
    model.compile("sgd", "mse")
    expected = model.fit(x, y, verbose=0).history["loss"][0]
    assert np.isfinite(expected)
    assert model.built


def test_wrong_targets_of_such_a_model_leave_it_unbuilt() -> None:
    model = Sequential([layers.ReLU(), Flatten()])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="y has"):
        model.fit(np.ones((4, 2, 3)), np.ones((4, 5)), verbose=0)
    assert not model.built
