"""The page that is made of a model: which models it takes, what stands in it, and that its script computes the same."""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnet
from fastnet import activations, layers
from fastnet.models import Sequential
from fastnet.playground import UnsuitableModelError, export_html
from fastnet.playground.page import described, page
from fastnet.playground.preprocess import look_at

Layers = list[Any]


def made(*entries: Any, shape: Any = (28, 28), last: Any = "softmax") -> Sequential:
    """A model with biases and moving averages that no training has made, but might have."""
    flatten = [layers.Flatten()] if not isinstance(shape, int) else []
    model = Sequential([layers.Input(shape), *flatten, *entries, layers.Dense(10, activation=last)])
    rng = np.random.default_rng(3)
    model.set_weights(
        [w if w.ndim == 2 else np.abs(w + rng.normal(0, 0.3, w.shape)) + 0.01 for w in model.get_weights()]
    )
    return model


class Square(activations.Activation):
    def __call__(self, x: Any) -> Any:
        return x * x


class MyDense(layers.Dense):
    pass


def engine(text: str) -> str:
    """The page's first script: the mathematics, without a document."""
    return re.findall(r"<script>(.*?)</script>", text, re.DOTALL)[0]


@pytest.fixture
def in_node(tmp_path: Path) -> Callable[[str, str, Any], Any]:
    """Computes an expression of `network` and the argument, `a`, with a page's mathematics."""
    node = shutil.which("node")
    if not node:
        pytest.skip("needs node; test_browser.py computes the same in Chromium")

    def run(text: str, expression: str, argument: Any) -> Any:
        network = re.findall(r'id="network">(.*?)</script>', text, re.DOTALL)[0]
        (tmp_path / "argument.json").write_text(json.dumps(argument))
        (tmp_path / "network.json").write_text(network)
        (tmp_path / "run.js").write_text(
            engine(text)
            + 'const read = name => require("fs").readFileSync(`${__dirname}/${name}.json`, "utf8");\n'
            + 'const a = JSON.parse(read("argument")), network = load(read("network"));\n'
            + f"console.log(JSON.stringify({expression}));\n"
        )
        done = subprocess.run([node, str(tmp_path / "run.js")], capture_output=True, encoding="utf-8", timeout=100)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    return run


MODELS: dict[str, Callable[[], tuple[Sequential, float]]] = {
    "the tutorial's": lambda: (made(layers.Rescaling(1 / 255), layers.Dense(512, activation="relu")), 255.0),
    "784 floats": lambda: (made(layers.Dense(32, activation="tanh"), shape=784), 1.0),
    "channels": lambda: (made(layers.Dense(8, activation="sigmoid"), shape=(28, 28, 1)), 1.0),
    "rescaled by one": lambda: (made(layers.Rescaling(1 / 127.5, -1), layers.Dense(8)), 255.0),
    "no hidden layer": lambda: (made(), 1.0),
    "no bias": lambda: (made(layers.Dense(16, activation="relu", use_bias=False)), 1.0),
    "deep": lambda: (made(*(layers.Dense(24, activation=name) for name in ("elu", "selu", "silu", "softplus"))), 1.0),
    "leaky": lambda: (made(layers.Dense(24, "leaky_relu"), layers.Dense(24), layers.LeakyReLU(0.1)), 1.0),
    "clipped": lambda: (made(layers.Dense(24, "relu6"), layers.Dense(24), layers.ReLU(2, 0.3, 0.1)), 1.0),
    "layers that only train": lambda: (
        made(
            *(layers.Dropout(0.5), layers.Dense(24), layers.GaussianNoise(0.5), layers.ELU(0.7)),
            *(layers.GaussianDropout(0.5), layers.Identity()),
        ),
        1.0,
    ),
    "normalized": lambda: (made(layers.Dense(24), layers.BatchNormalization(), layers.Activation("relu")), 1.0),
    "normalized pixels": lambda: (
        Sequential([layers.Input((28, 28)), layers.BatchNormalization(), *made(layers.Dense(9, "relu")).layers]),
        255.0,
    ),
    "softmax inside": lambda: (made(layers.Dense(24, "softmax"), layers.Dense(12), layers.Softmax()), 1.0),
    "ten sigmoids": lambda: (made(last="sigmoid"), 1.0),
    "logits": lambda: (made(layers.Dense(24, "relu"), last=None), 1.0),
    "reshaped": lambda: (made(layers.Reshape((4, -1)), layers.Reshape((784,)), layers.Dense(9, "relu")), 1.0),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_script_computes_what_predict_does(
    name: str, in_node: Callable[[str, str, Any], Any], digits: np.ndarray
) -> None:
    model, ink = MODELS[name]()
    images = np.concatenate([digits[:20], np.zeros((1, 28, 28), np.uint8), np.full((1, 28, 28), 255, np.uint8)])
    outputs = in_node(
        page(model), "a.map(image => Array.from(forward(network, image).output))", images.reshape(-1, 784).tolist()
    )
    assert model.input_shape
    x = images.reshape(-1, *(n or 0 for n in model.input_shape[1:])).astype(np.float32) * np.float32(ink / 255)
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(np.array(outputs), expected, rtol=1e-5 if name == "logits" else 0, atol=1e-5)


def test_the_script_computes_what_a_trained_network_does(
    model: Sequential, in_node: Callable[[str, str, Any], Any], digits: np.ndarray
) -> None:
    outputs = in_node(
        page(model), "a.map(image => Array.from(forward(network, image).output))", digits.reshape(-1, 784).tolist()
    )
    np.testing.assert_allclose(np.array(outputs), model.predict(digits, verbose=0), rtol=0, atol=1e-5)


def test_the_script_sees_what_look_at_does(in_node: Callable[[str, str, Any], Any], digits: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    sheets = [np.zeros((60, 90), np.uint8) for _ in range(30)]
    for sheet, digit in zip(sheets, digits, strict=False):
        top, left = rng.integers(0, 32), rng.integers(0, 62)
        sheet[top : top + 28, left : left + 28] = digit
        sheet[rng.integers(60), rng.integers(90)] = 9
    sheets[-1][:] = 0
    sheets[-1][5, 7] = 1  # a single dot
    seen = in_node(
        page(made()), "a.map(sheet => Array.from(lookAt(sheet, 90, 60)))", [s.ravel().tolist() for s in sheets]
    )
    np.testing.assert_array_equal(np.array(seen).reshape(-1, 28, 28), [look_at(sheet) for sheet in sheets])
    assert in_node(page(made()), "lookAt(a, 2, 2)", [0, 0, 0, 0]) is None


def test_what_each_later_dense_layer_is_given_is_shown(
    in_node: Callable[[str, str, Any], Any], digits: np.ndarray
) -> None:
    model = made(layers.Dense(24, "sigmoid"), layers.Dropout(0.1), layers.Dense(16), layers.LeakyReLU())
    assert described(model)["hidden"] == [
        {"title": "Hidden layer 1", "units": 24, "threshold": 0.5},
        {"title": "Hidden layer 2", "units": 16, "threshold": 0.0},
    ]
    hidden = in_node(page(model), "forward(network, a).hidden.map(x => Array.from(x))", digits[0].ravel().tolist())
    x = digits[:1].astype(np.float32) / 255
    for shown, count in zip(hidden, (2, 5), strict=True):
        np.testing.assert_allclose(shown, Sequential(model.layers[:count]).predict(x, verbose=0)[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("begins", "ink"), [(True, 255), (False, 1)])
def test_ink_is_what_the_first_layer_suggests_unless_it_is_given(begins: bool, ink: float) -> None:
    model = made(*([layers.Rescaling(1 / 255)] if begins else []))
    assert described(model)["ink"] == ink
    assert described(model, ink=16)["ink"] == 16


# Models that do not suit ----------------------------------------------------------------------------------------------


def untrained() -> Sequential:
    model = Sequential([layers.Input((784,)), layers.Dense(10, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def regression() -> Sequential:
    model = made(last=None)
    model.compile("sgd", "mse")
    return model


def sequence(*entries: Any) -> Sequential:
    return Sequential([layers.Input((784,)), *entries])


def infinite() -> Sequential:
    model = made()
    model.layers[-1].kernel.packed[0, 0, 0] = np.inf  # type: ignore[attr-defined]
    return model


UNSUITABLE: dict[str, tuple[Callable[[], Sequential], str]] = {
    "untrained": (untrained, "never trained"),
    "not built": (lambda: Sequential([layers.Dense(10)]), "no weights yet"),
    "empty": (lambda: Sequential([]), "no weights yet"),
    "inputs": (lambda: made(shape=783), "reads examples of shape (783,)"),
    "outputs": (lambda: sequence(layers.Dense(11, "softmax")), "shape (11,); expected (10,)"),
    "outputs of shape": (lambda: sequence(layers.Dense(10), layers.Reshape((10, 1))), "shape (10, 1)"),
    "no probabilities": (lambda: made(last="relu"), "no probabilities"),
    "regression": (regression, "no probabilities"),
    "layer": (lambda: made(layers.LayerNormalization()), "'layer_normalization', a LayerNormalization"),
    "rescaling by an array": (lambda: made(layers.Rescaling([0.5] * 784)), "'rescaling', a Rescaling; it knows"),
    "own layer": (lambda: made(MyDense(9)), "a MyDense"),
    "activation": (lambda: made(layers.Dense(9, "gelu")), "the activation 'gelu' of layer 'dense'"),
    "own activation": (lambda: made(layers.Dense(9, Square())), "the activation 'Square'"),
    "axis": (
        lambda: Sequential([layers.Input((28, 28)), layers.BatchNormalization(axis=1), *made().layers]),
        "its axis is 1",
    ),
    "infinite": (infinite, "NaN or infinite"),
    "too large": (lambda: made(layers.Dense(22000)), "can hold 16,777,216 at most"),
}


@pytest.mark.parametrize("name", UNSUITABLE)
def test_an_unsuitable_model_is_refused_in_words_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    make, says = UNSUITABLE[name]
    with pytest.raises(UnsuitableModelError, match=re.escape(says)):
        export_html(make(), tmp_path / "digits.html")
    assert list(tmp_path.iterdir()) == []


def test_a_step_of_training_makes_a_model_suitable(digits: np.ndarray) -> None:
    model = untrained()
    model.fit(digits.reshape(-1, 784) / 255, np.arange(200) % 10, epochs=1, verbose=0)
    assert described(model)["logits"] is False
    model = made(last=None)
    model.compile("sgd", fastnet.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert described(model)["logits"] is True


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"ink": 0}, ValueError, "ink"),
        ({"ink": float("nan")}, ValueError, "ink"),
        ({"ink": "1"}, TypeError, "ink"),
        ({"ink": True}, TypeError, "ink"),
        ({"title": 7}, TypeError, "title"),
        ({"filepath": 7}, TypeError, "filepath"),
        ({"model": 7}, TypeError, "model must be a fastnet.Sequential, got 7"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], error: type[Exception], says: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=re.escape(says)):
        export_html(**({"model": made(), "filepath": tmp_path / "digits.html"} | arguments))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        export_html(made(), tmp_path / "nowhere" / "digits.html")


# The file ------------------------------------------------------------------------------------------------------------


def test_the_file_is_the_page_whole_and_replaces_an_older_one(tmp_path: Path) -> None:
    file = tmp_path / "digits.html"
    file.write_text("old")
    model = made()
    export_html(model, str(file), title="Class 5b")
    text = file.read_text(encoding="utf-8")
    assert text == page(model, title="Class 5b")
    assert "<title>Class 5b</title>" in text
    assert "@@" not in text
    assert "784 → 10, 7,850 weights." in text


def test_names_cannot_become_markup() -> None:
    evil = "</script><script>alert(1)</script><!--"
    model = made(layers.Dense(4, "relu", name=evil))
    text = page(model, title=evil, about=evil)
    assert "alert(1)</script>" not in text
    assert text.count("<script>") == 2
    assert text.count(html.escape(evil)) == 3  # title, heading, about


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("a\ud800", "a?"),
        ("\udcff.safetensors", "?.safetensors"),
        ("a\x00b", r"a\x00b"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\x85", r"\x85"),
        ("\u202e", r"\u202e"),
    ],
)
def test_a_title_that_no_page_can_hold_is_made_printable(title: str, shown: str, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    export_html(made(), file, title=title)
    text = file.read_text(encoding="utf-8")
    assert title not in text
    assert text.count(f">{shown}</") == 2  # title, heading
    page(made(), about=title).encode()
    export_html(made(), file, title="Ziffern 数字 \u200d\xa0")
    assert "<title>Ziffern 数字 \u200d\xa0</title>" in file.read_text(encoding="utf-8")


def test_the_policy_lets_run_what_is_in_the_file_and_nothing_load() -> None:
    text = page(made())
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert found
    policy = dict(part.strip().split(" ", 1) for part in found[1].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["img-src"] == "data:"
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        contents = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        hashes = [base64.b64encode(hashlib.sha256(c.encode()).digest()).decode() for c in contents]
        assert policy[directive].split() == [f"'sha256-{h}'" for h in hashes]
    assert set(policy) == {"default-src", "script-src", "style-src", "img-src", "base-uri", "form-action"}
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|\bon\w+=|@import|url\(", text)


def test_importing_fastnet_does_not_import_the_playground() -> None:
    script = "import sys, fastnet; assert not [m for m in sys.modules if 'playground' in m or m == 'http.server']"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_it_is_one_of_the_public_names() -> None:
    assert fastnet.export_html is export_html
    assert "export_html" in fastnet.__all__
