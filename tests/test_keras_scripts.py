"""Scripts in the idioms of the classic examples and textbook notebooks run with only the import changed, and learn."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnet as keras
from fastnet import layers, losses, metrics, models, optimizers, regularizers
from fastnet.datasets import mnist
from fastnet.layers import Dense, Dropout
from fastnet.models import Sequential
from fastnet.utils import to_categorical


def reviews(n: int = 400, words: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Multi-hot rows of which some words tell the class."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    x = (rng.random((n, words)) < 0.05).astype("float32")
    x[np.arange(n), y * 5] = 1
    return x, y


def test_movie_reviews_binary() -> None:
    x, y = reviews()
    y = np.asarray(y).astype("float32")
    model = models.Sequential()
    model.add(layers.Dense(16, activation="relu", input_shape=(500,)))
    model.add(layers.Dense(16, activation="relu"))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(optimizer=optimizers.RMSprop(lr=0.001), loss=losses.binary_crossentropy, metrics=["acc"])
    history = model.fit(
        x[100:], y[100:], epochs=40, batch_size=32, validation_data=(x[:100], y[:100]), verbose=0
    ).history
    assert set(history) == {"loss", "acc", "val_loss", "val_acc"}
    assert history["val_acc"][-1] > 0.9
    assert model.predict(x[:3], verbose=0).shape == (3, 1)


def test_binary_accuracy_as_a_function() -> None:
    x, y = reviews()
    model = Sequential([Dense(8, activation="relu", input_dim=500), Dense(1, activation="sigmoid")])
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=[metrics.binary_accuracy])
    assert "binary_accuracy" in model.fit(x, y, epochs=2, verbose=0).history


@pytest.mark.parametrize("kind", ["one-hot", "sparse"])
def test_newswires_46_classes(kind: str) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(920) % 46
    x = (rng.random((920, 300)) < 0.02).astype("float32")
    x[np.arange(920), y] = 1
    model = models.Sequential(
        [layers.Dense(64, activation="relu", input_shape=(300,)), layers.Dense(np.int64(46), "softmax")]
    )
    loss = "categorical_crossentropy" if kind == "one-hot" else "sparse_categorical_crossentropy"
    model.compile(optimizer="rmsprop", loss=loss, metrics=["accuracy"])
    targets = to_categorical(y) if kind == "one-hot" else y
    history = model.fit(x, targets, epochs=20, batch_size=32, validation_split=0.1, verbose=0)
    assert history.history["accuracy"][-1] > 0.95
    assert history.history["val_accuracy"][-1] > 0.4  # a guess is right once in 46


def test_house_prices_in_k_folds() -> None:
    rng = np.random.default_rng(0)
    data = rng.standard_normal((80, 13))
    targets = data @ rng.standard_normal(13) + 20
    data -= data.mean(axis=0)
    data /= data.std(axis=0)

    def build_model() -> Any:
        model = models.Sequential()
        model.add(layers.Dense(64, activation="relu", input_shape=(data.shape[1],)))
        model.add(layers.Dense(64, activation="relu"))
        model.add(layers.Dense(1))
        model.compile(optimizer="rmsprop", loss="mse", metrics=["mae"])
        return model

    scores = []
    for i in range(2):
        fold = slice(i * 40, (i + 1) * 40)
        model = build_model()
        rest = np.r_[0 : i * 40, (i + 1) * 40 : 80]
        history = model.fit(data[rest], targets[rest], epochs=80, batch_size=1, verbose=0)
        assert history.history["mae"] == history.history["mean_absolute_error"]
        scores.append(model.evaluate(data[fold], targets[fold], verbose=0)[1])
    assert np.mean(scores) < 5


def test_overfitting_with_regularizers_and_dropout() -> None:
    x, y = reviews()
    model = Sequential()
    model.add(Dense(16, kernel_regularizer=regularizers.l2(0.001), activation="relu", input_shape=(500,)))
    model.add(Dropout(0.5))
    model.add(Dense(16, kernel_regularizer=regularizers.l1_l2(l1=1e-5, l2=1e-4), activation="relu"))
    model.add(Dropout(0.5))
    model.add(Dense(1, activation="sigmoid"))
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["acc"])
    losses_seen = model.fit(x, y, epochs=15, batch_size=64, verbose=0).history["loss"]
    assert losses_seen[-1] < losses_seen[0]


def test_the_functional_api_on_digits() -> None:
    """The idiom of Keras's guide to the functional API: layers are called on tensors, and a model on another's."""
    (x_train, y_train), (x_test, y_test) = keras.datasets.synthetic.load_data()
    x_train = x_train[:2000].reshape(2000, 784).astype("float32") / 255
    x_test = x_test[:500].reshape(500, 784).astype("float32") / 255
    inputs = keras.Input(shape=(784,), name="digits")
    x = layers.Dense(64, activation="relu", name="dense_1")(inputs)
    x = layers.Dense(64, activation="relu", name="dense_2")(x)
    outputs = layers.Dense(10, activation="softmax", name="predictions")(x)
    model = keras.Model(inputs=inputs, outputs=outputs, name="mlp")
    model.compile(
        optimizer=keras.optimizers.RMSprop(),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
    )
    history = model.fit(x_train, y_train[:2000], batch_size=64, epochs=3, verbose=0, validation_split=0.2)
    assert history.history["val_sparse_categorical_accuracy"][-1] > 0.8
    assert model.evaluate(x_test, y_test[:500], verbose=0)[1] > 0.8
    features = keras.Model(model.input, model.get_layer("dense_2").output)
    assert features(x_test).shape == (500, 64)
    images = keras.Input(shape=(28, 28))
    whole = keras.Model(images, model(layers.Flatten()(images)))
    assert (whole.predict(x_test.reshape(500, 28, 28), verbose=0) == model.predict(x_test, verbose=0)).all()


def test_selu_and_lecun() -> None:
    x, y = reviews()
    model = Sequential([Dense(20, activation="selu", kernel_initializer="lecun_normal", input_dim=500)])
    model.add(layers.AlphaDropout(0.1))
    model.add(Dense(2, activation="softmax"))
    model.compile("sgd", "categorical_crossentropy", ["accuracy"])
    model.fit(x, keras.utils.to_categorical(y, 2), verbose=0, callbacks=[keras.callbacks.EarlyStopping("loss")])


def test_the_classic_mlp_on_real_digits(mnist_folder: Path) -> None:
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    x_train = x_train.reshape(60000, 784).astype("float32")
    x_test = x_test.reshape(10000, 784).astype("float32")
    x_train /= 255
    x_test /= 255
    keras.utils.set_random_seed(0)
    model = Sequential()
    model.add(Dense(512, activation="relu", input_shape=(784,)))
    model.add(Dropout(0.2))
    model.add(Dense(512, activation="relu"))
    model.add(Dropout(0.2))
    model.add(Dense(10, activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer=optimizers.RMSprop(), metrics=["accuracy"])
    model.fit(
        x_train,
        to_categorical(y_train, 10),
        batch_size=128,
        epochs=3,
        verbose=0,
        validation_data=(x_test, to_categorical(y_test, 10)),
    )
    score = model.evaluate(x_test, to_categorical(y_test, 10), verbose=0)
    assert score[1] > 0.972


@pytest.mark.parametrize(
    "line",
    [
        "from fastnet.optimizers.schedules import ExponentialDecay",
        "from fastnet.datasets import mnist",
        "from fastnet.utils import to_categorical",
        "from fastnet.regularizers import l2",
        "from fastnet.callbacks import EarlyStopping",
        "from fastnet.models import Sequential, load_model",
        "import fastnet.backend as K",
    ],
)
def test_imports_are_found_where_keras_has_them(line: str) -> None:
    subprocess.run([sys.executable, "-c", line], check=True, timeout=60)
