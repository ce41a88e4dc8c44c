"""Keras's files with the real Keras: what one writes, the other opens, predicts alike and trains on alike."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import fastnet
from fastnet import activations, constraints, initializers, layers, losses, metrics, optimizers, regularizers
from fastnet.layers import Input
from fastnet.optimizers import schedules
from fastnet.recorded import snake_case
from fastnet.saving import configuration, load_model

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.standard_normal((12, 6)).astype(np.float32)
LABELS = np.eye(3, dtype=np.float32)[np.arange(12) % 3]
GRID = RANDOM.standard_normal((5, 4, 6)).astype(np.float32)
WHOLE = RANDOM.integers(0, 5, (7, 3)).astype(np.float32)

pytestmark = pytest.mark.filterwarnings("default")  # for what Keras and JAX warn of; the tests say what they expect


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.keras"


def random_weights(model: Any) -> None:
    """Gives each weight other numbers than at its beginning; those that are variances stay positive."""
    values = [np.abs(RANDOM.standard_normal(w.shape)).astype(np.float32) + 0.1 for w in model.weights]
    for value, weight in zip(values, model.weights, strict=True):
        if weight.name.endswith("/count"):  # of Normalization: a whole number in Keras
            value[...] = 7
    model.set_weights(values)


def opened_by_keras(path: Path) -> Any:
    """Opens a file in Keras, which must not warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        return keras.models.load_model(path)  # in safe mode, the default


def assert_same_predictions(model: Any, theirs: Any, x: Any) -> None:
    expected = np.asarray(theirs(x, training=False))
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-6, atol=1e-6)


def there_and_back(model: Any, path: Path, x: Any) -> Any:
    """Saves a model, opens it in Keras, saves it there and opens that file; all must agree. Returns Keras's model."""
    model.save(path)
    theirs = opened_by_keras(path)
    assert_same_predictions(model, theirs, x)
    theirs.save(path)
    again = load_model(path)
    assert (again.predict(x, verbose=0) == model.predict(x, verbose=0)).all()
    assert as_written(again) == as_written(model)
    assert all((a == b).all() for a, b in zip(again.get_weights(), model.get_weights(), strict=True))
    return theirs


def as_written(model: Any) -> Any:
    """Describes a model; Keras writes an axis as a list, and a number of groups instead of -1."""
    found = configuration.model_config(model)
    for entry in found["layers"]:
        axis = entry["config"].get("axis")
        if isinstance(axis, list) and len(axis) == 1:
            entry["config"]["axis"] = axis[0]
        if entry["config"].get("groups") == -1:
            entry["config"]["groups"] = model.input_shape[-1]
    return found


# Layers ---------------------------------------------------------------------------------------------------------------


def adapted(layer: Any, data: Any) -> Any:
    layer.adapt(data)
    return layer


LAYERS: list[tuple[Callable[[], Any], Any]] = [
    (lambda: layers.Activation("gelu"), ROWS),
    (lambda: layers.ActivityRegularization(0.1, 0.2), ROWS),
    (lambda: layers.AlphaDropout(0.3, noise_shape=(None, 1), seed=3), ROWS),
    (lambda: layers.BatchNormalization(), ROWS),
    (lambda: layers.BatchNormalization(axis=1, momentum=0.5, epsilon=0.01, center=False), GRID),
    (
        lambda: layers.BatchNormalization(scale=False, beta_regularizer=regularizers.L1(0.25), beta_initializer="ones"),
        ROWS,
    ),
    (lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"rmax": 2.0}, renorm_momentum=0.5), ROWS),
    (lambda: layers.BatchNormalization(trainable=False), ROWS),
    (lambda: layers.CategoryEncoding(5), WHOLE),
    (lambda: layers.CategoryEncoding(5, output_mode="one_hot"), WHOLE),
    (lambda: layers.CategoryEncoding(5, output_mode="count"), WHOLE),
    (lambda: layers.Dense(4), ROWS),
    (lambda: layers.Dense(4, "tanh", use_bias=False, activity_regularizer="l2", trainable=False), GRID),
    (lambda: layers.Discretization([-0.5, 0.5]), ROWS),
    (lambda: layers.Discretization([-0.5, 0.5], output_mode="one_hot"), ROWS),
    (lambda: adapted(layers.Discretization(num_bins=3), ROWS), ROWS),
    (lambda: layers.Dropout(0.3), ROWS),
    (lambda: layers.Dropout(0.3, noise_shape=(None, 1), seed=1), ROWS),
    (lambda: layers.ELU(0.5), ROWS),
    (lambda: layers.Embedding(5, 4, embeddings_regularizer="l2"), WHOLE),
    (lambda: layers.Flatten(), GRID),
    (lambda: layers.GaussianDropout(0.3, seed=4), ROWS),
    (lambda: layers.GaussianNoise(0.3), ROWS),
    (lambda: layers.GlobalAveragePooling1D(), GRID),
    (lambda: layers.GlobalAveragePooling1D(data_format="channels_first", keepdims=True), GRID),
    (lambda: layers.GroupNormalization(3), GRID),
    (lambda: layers.GroupNormalization(-1, epsilon=0.1, center=False), ROWS),
    (lambda: layers.Identity(), ROWS),
    (lambda: layers.LayerNormalization(), ROWS),
    (lambda: layers.LayerNormalization(axis=[1, 2], epsilon=0.1, scale=False), GRID),
    (lambda: layers.LeakyReLU(0.2), ROWS),
    (lambda: layers.Normalization(), ROWS),
    (lambda: adapted(layers.Normalization(axis=None), ROWS), ROWS),
    (lambda: adapted(layers.Normalization(axis=1, invert=True), GRID), GRID),
    (lambda: layers.Normalization(mean=[1.0] * 6, variance=[2.0] * 6), ROWS),
    (lambda: layers.PReLU(alpha_initializer=initializers.Constant(0.25)), ROWS),
    (lambda: layers.PReLU(shared_axes=[1], alpha_constraint="non_neg"), GRID),
    (lambda: layers.Permute((2, 1)), GRID),
    (lambda: layers.RMSNormalization(epsilon=0.1), ROWS),
    (lambda: layers.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2), ROWS),
    (lambda: layers.RepeatVector(3), ROWS),
    (lambda: layers.Rescaling(0.5, offset=1.0), ROWS),
    (lambda: layers.Rescaling([0.5] * 6, offset=[1.0] * 6), ROWS),
    (lambda: layers.Reshape((2, -1)), ROWS),
    (lambda: layers.Softmax(axis=1), GRID),
    (lambda: layers.UnitNormalization(axis=-1), ROWS),
]
WITHOUT = {"Layer", "InputLayer", "Lambda"}  # the base, a layer that every model here has, and one that is refused
NEED_TENSORFLOW = {"IntegerLookup", "StringLookup"}  # Keras has these with TensorFlow alone


def test_the_list_has_every_layer() -> None:
    named = {type(make()).__name__ for make, _ in LAYERS}
    assert named == set(configuration.classes_of(layers, layers.Layer)) - WITHOUT - NEED_TENSORFLOW


@pytest.mark.parametrize(("make", "x"), LAYERS, ids=[type(make()).__name__ for make, _ in LAYERS])
@pytest.mark.parametrize("functional", [False, True], ids=["Sequential", "Model"])
def test_a_layer_predicts_alike(make: Callable[[], Any], x: Any, functional: bool, path: Path) -> None:
    layer, start = make(), Input(x.shape[1:])
    model = fastnet.Model(start, layer(start)) if functional else fastnet.Sequential([start, layer])
    random_weights(model)
    theirs = there_and_back(model, path, x)
    assert isinstance(theirs, keras.Sequential) is not functional
    assert theirs.layers[-1].trainable == layer.trainable or not layer.weights


def test_every_name_of_a_class_is_that_of_keras() -> None:
    from keras.src.utils.naming import to_snake_case

    for kind in configuration.classes_of(layers, layers.Layer):
        assert snake_case(kind) == to_snake_case(kind), kind


def test_models_in_models(path: Path) -> None:
    inner = fastnet.Sequential([layers.Dense(5, "tanh"), layers.Dense(4)], name="inner")
    start = Input((6,), name="start")
    functional = fastnet.Model(start, layers.Dense(6, "relu")(layers.Dense(3)(start)), name="parts")
    model = fastnet.Sequential([Input((6,)), layers.Dense(6), functional, layers.Dense(2), inner, layers.Dense(3)])
    there_and_back(model, path, ROWS)
    begin = Input((6,))
    outer = fastnet.Model(begin, fastnet.Sequential([layers.Dense(2)])(fastnet.models.clone_model(functional)(begin)))
    there_and_back(outer, path, ROWS)
    last = Input((6,))
    ends = fastnet.Model(last, fastnet.models.clone_model(functional)(layers.Dense(6)(last)))
    there_and_back(ends, path, ROWS)


def test_models_of_keras_in_models_of_keras(path: Path) -> None:
    start = keras.Input((6,))
    x = keras.layers.Dense(6, activation=keras.layers.LeakyReLU(0.1))(start)
    inside = keras.Input((6,))
    x = keras.Model(inside, keras.layers.Dense(4, keras.activations.tanh)(inside))(x)
    x = keras.layers.Dropout(0.5)(x)
    x = keras.Sequential([keras.layers.Dense(3), keras.layers.BatchNormalization(trainable=False)])(x)
    theirs = keras.Model({"in": start}, [x])
    theirs.compile("adam", [keras.losses.mean_squared_error], metrics=[["mae"]], loss_weights=[1.0])
    theirs.save(path)
    model = load_model(path)
    assert_same_predictions(model, theirs, ROWS)
    assert repr(model.layers[1].activation) == "LeakyRelu(negative_slope=0.1)"
    assert model.metrics_names == ["loss", "mae"]
    assert not model.layers[4].layers[1].trainable


def test_a_frozen_model_stays_frozen(path: Path) -> None:
    theirs = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3), keras.layers.Dense(2)])
    theirs.trainable = False
    theirs.layers[1].trainable = True  # has no effect in Keras, since the model around it is frozen
    theirs.save(path)
    assert [w.name for w in load_model(path).trainable_weights] == [w.name for w in theirs.trainable_weights]


def test_a_model_that_is_not_built(path: Path) -> None:
    model = fastnet.Sequential([layers.Dense(3, "relu"), layers.Dense(2)])
    model.compile("adam", "mse")
    model.save(path)
    theirs = opened_by_keras(path)
    assert not theirs.built
    with pytest.warns(UserWarning, match="not yet been built"):
        theirs.save(path)
    assert not load_model(path).built
    load_model(path).fit(ROWS, LABELS[:, :2], verbose=0)


# Arguments ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(activations.NAMES) - {"sparsemax", "threshold"}))
def test_every_activation(name: str, path: Path) -> None:
    there_and_back(fastnet.Sequential([Input((6,)), layers.Activation(name)]), path, ROWS)


@pytest.mark.parametrize("name", ["sparsemax", "threshold"])
def test_activations_that_are_not_alike_are_refused(name: str, path: Path) -> None:
    with pytest.raises(TypeError, match=f"layer 'dense' cannot be saved in Keras's format: its activation '{name}'"):
        fastnet.Sequential([Input((6,)), layers.Dense(4, name)]).save(path)
    assert not path.exists()
    if name == "sparsemax":
        refused(sequential(keras.layers.Dense(4, name)), path, "the activation 'sparsemax', which is computed wrongly")


@pytest.mark.parametrize(
    "activation",
    [activations.ClippedRelu(0.1, 2.0, 0.5), activations.LeakyRelu(0.05), activations.Elu(0.5), layers.ReLU(6.0)],
)
def test_activations_with_arguments(activation: Any, path: Path) -> None:
    there_and_back(fastnet.Sequential([Input((6,)), layers.Dense(4, activation)]), path, ROWS)


def test_every_initializer_regularizer_and_constraint(path: Path) -> None:
    orthogonal = regularizers.OrthogonalRegularizer(0.25, mode="columns")
    given = {
        "initializer": [
            *(kind() for name, kind in initializers.CLASSES.items()),
            initializers.Constant(0.5),
            initializers.VarianceScaling(2.0, "fan_avg", "uniform", seed=3),
            initializers.Orthogonal(2.0, seed=1),
            initializers.RandomUniform(-1.0, 2.0),
            initializers.TruncatedNormal(0.5, 0.1, seed=2),
        ],
        "regularizer": [regularizers.L1(0.25), regularizers.L2(0.5), regularizers.L1L2(0.25, 0.5), orthogonal],
        "constraint": [
            constraints.MaxNorm(1.5, axis=1),
            constraints.MinMaxNorm(0.5, 1.5, 0.9, axis=1),
            constraints.NonNeg(),
            constraints.UnitNorm(axis=1),
        ],
    }
    model = fastnet.Sequential([Input((6,))])
    for kind, things in given.items():
        for thing in things:
            model.add(layers.Dense(6, **{f"kernel_{kind}": thing}))
    model.save(path)
    theirs = opened_by_keras(path)
    theirs.save(path)
    found = [layer["config"] for layer in configuration.model_config(load_model(path))["layers"]]
    assert found == [layer["config"] for layer in configuration.model_config(model)["layers"]]


# Training goes on -----------------------------------------------------------------------------------------------------

EVERY = (  # a name, and arguments
    ("SGD", {}),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("RMSprop", {"learning_rate": 0.01}),
    ("RMSprop", {"momentum": 0.5, "centered": True, "clipnorm": 0.1}),
    ("Adam", {"learning_rate": 0.01}),
    ("Adam", {"amsgrad": True, "use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2}),
    ("Adam", {"gradient_accumulation_steps": 2, "use_ema": True, "loss_scale_factor": 4.0, "clipvalue": 0.1}),
    ("AdamW", {"weight_decay": 0.1}),
    ("Adagrad", {"initial_accumulator_value": 0.2, "global_clipnorm": 0.5}),
    ("Adadelta", {"learning_rate": 0.5}),
    ("Adamax", {}),
    ("Nadam", {}),
    ("Ftrl", {"l1_regularization_strength": 0.001}),
    ("Lion", {}),
    ("Lamb", {}),
    ("Adafactor", {}),
    ("Muon", {"exclude_layers": ["last"], "adam_weight_decay": None}),
    ("ScheduleFreeAdamW", {"warmup_steps": 3}),
)


def test_the_list_has_every_optimizer() -> None:
    assert {name for name, _ in EVERY} == set(optimizers.CLASSES)


def small(optimizer: Any, loss: Any = "categorical_crossentropy", **kwargs: Any) -> Any:
    model = fastnet.Sequential(
        [
            Input((6,)),
            layers.Dense(5, "tanh", kernel_regularizer="l2"),
            layers.LayerNormalization(),
            layers.Dense(4, "relu", trainable=False),
            layers.Dense(3, "softmax", kernel_constraint="max_norm", name="last"),
        ]
    )
    return model.compile(optimizer, loss, **kwargs)


def trained(model: Any, steps: int = 3) -> list[float]:
    """Trains a model of fastnet or Keras on batches in order; returns the losses."""
    if isinstance(model, keras.Model):
        model.run_eagerly = True
    found = []
    for start in range(0, 4 * steps, 4):
        batch = slice(start % 12, start % 12 + 4)
        loss = model.train_on_batch(ROWS[batch], LABELS[batch])
        found.append(float(loss[0] if isinstance(loss, list | tuple) else loss))
    return found


@pytest.mark.parametrize(("name", "arguments"), EVERY, ids=[f"{n}-{'-'.join(a) or 'plain'}" for n, a in EVERY])
def test_training_goes_on(name: str, arguments: dict[str, Any], path: Path) -> None:
    model = small(getattr(optimizers, name)(**arguments))
    trained(model)
    model.save(path)
    theirs = opened_by_keras(path)
    assert int(theirs.optimizer.iterations) == model.optimizer.iterations
    assert trained(theirs) == pytest.approx(trained(model), rel=2e-5)
    for mine, other in zip(model.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=2e-5)
    theirs.save(path)
    again = load_model(path)
    assert again.optimizer.iterations == model.optimizer.iterations
    assert trained(again) == pytest.approx(trained(theirs), rel=2e-5)
    for mine, other in zip(again.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=2e-5)


def test_our_own_file_goes_on_with_the_same_bits(path: Path) -> None:
    for name, arguments in EVERY:
        model = small(getattr(optimizers, name)(**arguments))
        trained(model)
        model.save(path)
        again = load_model(path)
        assert (trained(again), again.get_config()) == (trained(model), model.get_config()), name


def test_an_optimizer_that_has_done_no_step(path: Path) -> None:
    model = small("adagrad")
    model.save(path)
    theirs = opened_by_keras(path)  # without a warning about the optimizer's state
    assert trained(theirs) == pytest.approx(trained(model), rel=2e-5)


def test_an_optimizer_that_keras_had_not_built(path: Path) -> None:
    theirs = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    theirs.compile(keras.optimizers.Adam(0.5), "mse")
    theirs.optimizer.iterations.assign(7)
    theirs.save(path)
    model = load_model(path)
    assert (model.optimizer.iterations, float(model.optimizer.learning_rate)) == (7, 0.5)


def test_a_state_for_other_weights_begins_anew_with_a_warning(path: Path) -> None:
    theirs = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3), keras.layers.Dense(3)])
    theirs.compile("adam", "mse")
    trained(theirs)
    theirs.layers[0].trainable = False  # Keras warns too when it opens such a file
    theirs.save(path)
    with pytest.warns(UserWarning, match="begins without its former state"):
        model = load_model(path)
    assert model.optimizer.iterations == 0
    assert trained(model)


@pytest.mark.parametrize(
    "schedule",
    [
        schedules.ExponentialDecay(0.1, 3, 0.5, staircase=True),
        schedules.InverseTimeDecay(0.1, 3, 0.5),
        schedules.PiecewiseConstantDecay([2, 4], [0.1, 0.05, 0.01]),
        schedules.PolynomialDecay(0.1, 5, 0.01, power=2.0, cycle=True),
        schedules.CosineDecay(0.1, 10, 0.1, warmup_target=0.2, warmup_steps=2),
        schedules.CosineDecayRestarts(0.1, 3, 2.0, 0.5, 0.1),
    ],
    ids=lambda schedule: type(schedule).__name__,
)
def test_every_schedule(schedule: Any, path: Path) -> None:
    model = small(optimizers.SGD(schedule))
    trained(model, 1)
    model.save(path)
    theirs = opened_by_keras(path)
    theirs.save(path)
    again = load_model(path)
    assert again.optimizer.get_config() | {"name": ""} == model.optimizer.get_config() | {"name": ""}
    for step in range(12):
        theirs.optimizer._iterations.assign(step)
        assert float(theirs.optimizer.learning_rate) == pytest.approx(schedule(step), rel=1e-5), step
    assert set(schedules.CLASSES) == {
        "ExponentialDecay", "InverseTimeDecay", "PiecewiseConstantDecay", "PolynomialDecay", "CosineDecay",
        "CosineDecayRestarts",
    }  # fmt: skip


# Losses and metrics ---------------------------------------------------------------------------------------------------

LOSSES: list[Any] = [
    *(kind() for name, kind in sorted(losses.classes().items())),
    losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1),
    losses.CategoricalCrossentropy(label_smoothing=0.1),
    losses.SparseCategoricalCrossentropy(ignore_class=1),
    losses.CategoricalFocalCrossentropy(alpha=0.5, gamma=1.0),
    losses.BinaryFocalCrossentropy(apply_class_balancing=True),
    losses.CategoricalGeneralizedCrossEntropy(q=0.3),
    losses.Circle(gamma=2.0, margin=0.1),
    losses.Tversky(alpha=0.3, beta=0.7),
]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_every_loss(loss: Any, path: Path) -> None:
    model = small("sgd", loss)
    model.save(path)
    theirs = opened_by_keras(path)
    targets = LABELS.argmax(axis=1) if loss.of_labels else LABELS
    predictions = model.predict(ROWS, verbose=0)
    expected = float(theirs.loss(targets, predictions))
    if loss.of_rows:
        assert float(loss(targets, predictions)) == pytest.approx(expected, rel=1e-5)
    theirs.save(path)
    assert load_model(path).loss.get_config() == pytest.approx(loss.get_config())


KINDS: dict[str, dict[str, Any]] = {
    "IoU": {"num_classes": 3, "target_class_ids": [0, 2]},
    "MeanIoU": {"num_classes": 3},
    "OneHotIoU": {"num_classes": 3, "target_class_ids": [0, 2]},
    "OneHotMeanIoU": {"num_classes": 3},
    "PrecisionAtRecall": {"recall": 0.5, "num_thresholds": 20},
    "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5},
    "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "AUC": {"num_thresholds": 50, "curve": "PR"},
    "Precision": {"class_id": 1, "top_k": 2},
    "FBetaScore": {"beta": 2.0, "average": "macro"},
    "TopKCategoricalAccuracy": {"k": 2},
}
OF_LABELS = {"SparseCategoricalAccuracy", "SparseCategoricalCrossentropy", "SparseTopKCategoricalAccuracy"}
NOT_IN_COMPILE = {"Mean", "Sum", "MeanMetricWrapper", "Metric", "AccuracyByShape", "FunctionMetric", "LossMetric"}


def test_every_metric(path: Path) -> None:
    kinds = {name: kind for name, kind in metrics.CLASSES.items() if name[0].isupper()}
    made = [kind(**KINDS.get(name, {})) for name, kind in kinds.items() if name not in NOT_IN_COMPILE | OF_LABELS]
    of_loss = losses.LogCosh(name="of_loss")  # Keras forgets the delta of Huber
    model = small("sgd", metrics=["acc", "mse", *made, of_loss], weighted_metrics=["accuracy"])
    model.save(path)
    theirs = opened_by_keras(path)
    mine = model.evaluate(ROWS, LABELS, verbose=0, return_dict=True)
    found = theirs.evaluate(ROWS, LABELS, verbose=0, return_dict=True)
    theirs.save(path)
    again = load_model(path)
    described = [configuration.serialize(metric) for metric in model._metrics]
    assert [configuration.serialize(metric) for metric in again._metrics] == described
    assert len(found) > 40
    for name, value in found.items():
        np.testing.assert_allclose(value, mine[name], rtol=1e-5, atol=1e-6, err_msg=name)


def test_metrics_of_labels(path: Path) -> None:
    kinds = [getattr(metrics, name)() for name in sorted(OF_LABELS)]
    model = small("sgd", "sparse_categorical_crossentropy", metrics=["accuracy", *kinds])
    model.save(path)
    theirs = opened_by_keras(path)
    theirs.run_eagerly = True
    labels = LABELS.argmax(axis=1)
    found = theirs.evaluate(ROWS, labels, verbose=0, return_dict=True)
    assert found == pytest.approx(model.evaluate(ROWS, labels, verbose=0, return_dict=True), rel=1e-5)
    theirs.save(path)
    assert load_model(path).evaluate(ROWS, labels, verbose=0) == model.evaluate(ROWS, labels, verbose=0)


# Weights alone --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["m.weights.h5", "m.keras"])
def test_weights_alone(name: str, tmp_path: Path) -> None:
    def make(kind: Any) -> Any:
        start = kind.Input((6,))
        x = kind.layers.Dense(5, activation="tanh")(start)
        x = kind.layers.BatchNormalization()(kind.layers.Dropout(0.3)(x))
        return kind.Model(start, kind.Sequential([kind.layers.Dense(4), kind.layers.Dense(3)])(x))

    fastnet_module: Any = fastnet
    mine, theirs = make(fastnet_module), make(keras)
    mine.compile("adam", "mse")
    theirs.compile("adam", "mse")
    trained(theirs)
    path = tmp_path / name
    theirs.save(path) if name.endswith(".keras") else theirs.save_weights(path)
    mine.load_weights(path)
    assert_same_predictions(mine, theirs, ROWS)
    assert mine.optimizer.iterations == 0
    random_weights(mine)
    trained(mine)
    weights = tmp_path / "mine.weights.h5"
    mine.save_weights(weights)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        theirs.load_weights(weights)
    assert_same_predictions(mine, theirs, ROWS)
    assert int(theirs.optimizer.iterations) == 3


def test_checkpoints(tmp_path: Path) -> None:
    model = small("adam")
    checkpoints = [
        fastnet.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras"),
        fastnet.callbacks.ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True),
    ]
    model.fit(ROWS, LABELS, epochs=2, verbose=0, callbacks=checkpoints)
    theirs = opened_by_keras(tmp_path / "2.keras")
    assert_same_predictions(model, theirs, ROWS)
    theirs.load_weights(tmp_path / "1.weights.h5")
    model.load_weights(tmp_path / "1.weights.h5")
    assert_same_predictions(model, theirs, ROWS)


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    model = small("adam")
    trained(model)
    for name in ("a.keras", "b.keras"):
        model.save(tmp_path / name)
    load_model(tmp_path / "a.keras").save(tmp_path / "c.keras")
    first, *others = (tmp_path / f"{name}.keras" for name in "abc")
    assert all(other.read_bytes() == first.read_bytes() for other in others)


# What Keras has and fastnet has not -----------------------------------------------------------------------------------


def refused(theirs: Any, path: Path, match: str) -> None:
    theirs.save(path)
    with pytest.raises(fastnet.saving.ModelFormatError, match=match):
        load_model(path)


@keras.saving.register_keras_serializable("mine")
class Twice(keras.layers.Layer):  # type: ignore[misc]
    def call(self, x: Any) -> Any:
        return 2 * x


def sequential(*entries: Any, shape: Any = (6,)) -> Any:
    return keras.Sequential([keras.Input(shape), *entries])


def test_what_fastnet_has_not_is_named(path: Path) -> None:
    conv = sequential(keras.layers.Conv1D(2, 2), shape=(4, 3))
    refused(conv, path, "layer 'conv1d.*' is of class 'Conv1D', which fastnet has not. It has Activation, .*Dense")
    refused(sequential(Twice(name="twice")), path, "layer 'twice' is of class 'mine>Twice', .*custom_objects={'Twice'")
    lora = sequential(keras.layers.Dense(4, lora_rank=2))
    refused(lora, path, "has 'lora_rank'=2, which fastnet's Dense has not")
    half = sequential(keras.layers.Dense(4, dtype="mixed_float16"))
    refused(half, path, "has the type or policy 'mixed_float16'; fastnet computes in float32 alone")
    for kind in ("float16", "bfloat16"):
        start = keras.Input((6,), dtype=kind, name="start")
        for model in (
            keras.Sequential([start, keras.layers.Dense(4)]),
            keras.Model(start, keras.layers.Dense(4)(start)),
        ):
            refused(model, path, f"layer 'start' has the type or policy '{kind}'")
        ours = fastnet.Sequential([Input((6,), dtype=kind, name="start"), layers.Dense(4)])
        with pytest.raises(
            TypeError, match=f"the input 'start' cannot be saved .*: its dtype is {kind}, to which Keras"
        ):
            ours.save(path)
    brain = sequential(keras.layers.Dense(4, dtype="bfloat16", name="brain"))
    refused(brain, path, "layer 'brain' has the type or policy 'bfloat16'; fastnet computes in float32 alone")
    with pytest.raises(fastnet.saving.ModelFormatError, match="layers/dense/vars/0 is of type bfloat16; fastnet comp"):
        fastnet.Sequential([Input((6,)), layers.Dense(4)]).load_weights(path)
    refused(sequential(keras.layers.Dense(4), shape=(None, 6)), path, r"the shape \[None, None, 6\]; in fastnet only")
    start = keras.Input((None, 6))
    refused(keras.Model(start, keras.layers.Dense(4)(start)), path, r"the shape \[None, None, 6\]; in fastnet only")
    refused(
        sequential(keras.layers.Dense(4, activation=lambda x: 2 * x)), path, "has a lambda as its activation, whose"
    )
    refused(sequential(keras.layers.Dense(4, "glu")), path, "glu halves the number of units, so it must be a layer")
    refused(sequential(keras.layers.LayerNormalization(rms_scaling=True)), path, "'rms_scaling'=True")
    refused(sequential(keras.layers.Flatten(data_format="channels_first")), path, "'data_format'='channels_first'")
    refused(sequential(keras.layers.Embedding(5, 2, mask_zero=True)), path, "mask_zero is not supported")
    start = keras.Input((6,))
    dense = keras.layers.Dense(6)
    refused(keras.Model(start, dense(dense(start))), path, "is called 2 times")
    refused(keras.Model(start, keras.layers.Add()([start, dense(start)])), path, "'Add', which fastnet has not")
    refused(keras.Model(start, [dense(start), start]), path, "output_layers is .* one input and one output")
    refused(keras.Model(start, keras.layers.Dropout(0.5)(start, training=True)), path, "'training'=True")
    refused(keras.Model(start, keras.ops.relu(start)), path, "fastnet has not")
    with_weights = sequential(keras.layers.Dense(3))
    with_weights.compile("adam", "mse", loss_weights=[0.5])
    refused(with_weights, path, "loss_weights=.0.5., which fastnet has not")
    with_weights.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()), "mse")
    refused(with_weights, path, "unknown optimizer 'LossScaleOptimizer'")
    with_weights.compile("adam", lambda y, p: keras.ops.mean(y - p))
    refused(with_weights, path, "the loss is a lambda, whose code is not run")
    with_weights.compile("adam", "mse", metrics=[lambda y, p: keras.ops.mean(y - p)])
    refused(with_weights, path, "a metric is a lambda, whose code is not run")
    assert not load_model(path, compile=False).compiled


def own_classes() -> dict[str, Any]:
    """Returns classes of a user that are called like Keras's own, but compute something else."""

    class Dense(keras.layers.Dense):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return 2 * super().call(x)

    class Dropout(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, rate: float, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.rate = rate

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "rate": self.rate}

        def call(self, x: Any) -> Any:
            return self.rate * x

    class HeNormal(keras.initializers.Zeros):  # type: ignore[misc]
        pass

    class L2(keras.regularizers.L1):  # type: ignore[misc]
        pass

    class MeanSquaredError(keras.losses.MeanAbsoluteError):  # type: ignore[misc]
        pass

    class Precision(keras.metrics.Recall):  # type: ignore[misc]
        pass

    class SGD(keras.optimizers.SGD):  # type: ignore[misc]
        pass

    class Sequential(keras.Sequential):  # type: ignore[misc]
        pass

    return {name: kind for name, kind in locals().items() if isinstance(kind, type)}


@pytest.mark.parametrize("package", [None, "mine", "Custom"])
def test_a_class_of_your_own_is_not_taken_for_one_that_is_called_alike(package: str | None, path: Path) -> None:
    own = own_classes()
    registered = keras.saving.get_custom_objects()
    before = dict(registered)
    if package:
        own = {name: keras.saving.register_keras_serializable(package)(kind) for name, kind in own.items()}
    prefix = f"{package or 'Custom'}>"
    try:
        for entry in (own["Dense"](4), own["Dropout"](0.5)):
            match = f"is of class '{prefix}{type(entry).__name__}', a class of your own"
            refused(sequential(entry), path, match)
            refused(keras.Sequential([keras.Input((6,)), keras.Sequential([entry])]), path, match)
        refused(own["Sequential"]([keras.Input((6,)), keras.layers.Dense(3)]), path, f"of class '{prefix}Sequential'")
        inner = own["Sequential"]([keras.layers.Dense(3)])
        refused(sequential(inner), path, f"of class '{prefix}Sequential', a class of your own")
        for argument, name in (("kernel_initializer", "HeNormal"), ("kernel_regularizer", "L2")):
            with_own = sequential(keras.layers.Dense(4, **{argument: own[name]()}))
            refused(with_own, path, f"unknown {argument} '{prefix}{name}'")
        for argument, name in (("optimizer", "SGD"), ("loss", "MeanSquaredError"), ("metrics", "Precision")):
            theirs = sequential(keras.layers.Dense(4))
            made = own[name]()
            theirs.compile(**{"optimizer": "sgd", "loss": "mse", argument: [made] if argument == "metrics" else made})
            refused(theirs, path, f"unknown .* '{prefix}{name}'.*must be given by its name")
    finally:
        registered.clear()
        registered.update(before)


def test_a_class_of_keras_as_a_class_of_fastnet(path: Path) -> None:
    class Doubles(layers.Layer):
        def call(self, x: Any) -> Any:
            return 2 * x

    sequential(Twice(name="twice")).save(path)
    for name in ("Twice", "mine>Twice"):
        assert (load_model(path, {name: Doubles}).predict(ROWS, verbose=0) == 2 * ROWS).all()
    with pytest.raises(fastnet.saving.ModelFormatError, match=r"for which custom_objects has <function .*, no layer's"):
        load_model(path, {"Twice": lambda x: 2 * x})


@keras.saving.register_keras_serializable("mine")
class Hidden(keras.layers.Dense):  # type: ignore[misc]
    pass


@keras.saving.register_keras_serializable("mine")
def soft(x: Any) -> Any:
    return keras.ops.softplus(x)


def test_what_a_class_of_keras_has_beside(path: Path) -> None:
    """A subclass of Keras's Dense has arguments that fastnet's has not; those that mean nothing are left out."""

    class Ours(layers.Dense):
        pass

    theirs = sequential(Hidden(4, activation=soft, activity_regularizer="l2", trainable=False))
    theirs.save(path)
    for kind in (Ours, layers.Dense):
        for prefix in ("", "mine>"):
            given = {f"{prefix}Hidden": kind, f"{prefix}soft": activations.softplus}
            model = load_model(path, given)
            assert_same_predictions(model, theirs, ROWS)
            assert repr(model.layers[0].activity_regularizer) == "L2(l2=0.01)"
            assert not model.layers[0].trainable
    refused(sequential(Hidden(4, lora_rank=2)), path, "'mine>Hidden', a class of your own")
    with pytest.raises(fastnet.saving.ModelFormatError, match="unexpected keyword argument 'lora_rank'"):
        load_model(path, {"Hidden": Ours})
