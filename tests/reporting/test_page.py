"""fastnet.reporting.report: what stands in the page is true of the model, and bad input is refused before a file is."""

from __future__ import annotations

import copy
import json
import os
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from reporting.conftest import Case
from reporting.parsed import Element, decode, parse

from fastnet import Sequential, layers, losses, metrics, rng
from fastnet.inspection.markup import percent
from fastnet.layers import Dense, Input
from fastnet.reporting import report
from fastnet.utils import set_random_seed, to_categorical

EVERY = ["data", "model", "training", "evaluation"]


def page_of(tmp_path: Path, *arguments: Any, **named: Any) -> Element:
    path = report(*arguments, path=tmp_path / "page.html", **named)
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) < 3_000_000
    assert text.count("@@") == 0
    return parse(text)


def anchors(page: Element) -> list[str | None]:
    return [section.attributes["id"] for section in page.all("section")]


# What it says ---------------------------------------------------------------------------------------------------------


def test_a_classifier_of_images_has_every_section(digits: Case, tmp_path: Path) -> None:
    page = page_of(tmp_path, *digits, title="Ours", about="Drawn by a program.")
    rest = ["confusion", "classes", "mistakes", "weights", "time", "repeat"]
    assert anchors(page) == EVERY + rest
    assert [a.attributes["href"] for a in page.all("nav")[0].all("a")] == [f"#{name}" for name in EVERY + rest]
    assert page.all("h1")[0].text == page.all("title")[0].text == "Ours"
    assert all(section.all("p", "lead") for section in page.all("section"))
    assert "Drawn by a program." in page.section("data").text


def test_the_numbers_are_those_of_the_model(digits: Case, tmp_path: Path) -> None:
    model, _, x, y = digits
    page = page_of(tmp_path, *digits)
    predictions = model.predict(x, verbose=0)
    said = predictions.argmax(axis=1)
    loss, accuracy = model.evaluate(x, to_categorical(y, 10), verbose=0)

    tiles = [tile.text for tile in page.section("evaluation").all("li")]
    assert tiles[:2] == [f"{loss:.4g}loss", f"{100 * accuracy:.2f} %accuracy"]
    assert tiles[2].startswith(f"{(said != y).sum()}mistake")

    expected = np.zeros((10, 10), int)
    np.add.at(expected, (y, said), 1)
    matrix = page.section("confusion").table()
    assert [[int(cell) for cell in row[1:]] for row in matrix] == expected.tolist()

    for k, (name, count, missed, found, right) in enumerate(page.section("classes").table()):
        assert (name, int(count), int(missed)) == (str(k), (y == k).sum(), ((y == k) & (said != k)).sum())
        assert found == f"{100 * (said[y == k] == k).mean():.1f} %"
        assert right == f"{100 * (y[said == k] == k).mean():.1f} %"

    counts = page.section("data").table(1)
    assert [int(row[1]) for row in counts] == np.bincount(y, minlength=10).tolist()
    assert page.section("data").table()[0][:5] == ["x", "(200, 28, 28)", "uint8", "0", str(x.max())]

    surest = np.where(said != y, predictions.max(axis=1) - predictions[np.arange(len(y)), y], -1).argmax()
    card = page.section("mistakes").all("figure")[0]
    assert card.all("p")[0].text == f"taken for {said[surest]}, is {y[surest]}"
    assert card.all("p", "note")[0].text == f"example {surest}"
    first = card.all("li")[0]
    assert first.all("span", "name")[0].text == str(said[surest])
    assert first.all("span", "bar")[0].text.lstrip("> ")[:2] == f"{100 * predictions[surest].max():.1f}"[:2]


def test_the_model_and_its_training_are_told(digits: Case, tmp_path: Path) -> None:
    model, history, _, _ = digits
    page = page_of(tmp_path, *digits, profile=False)
    rows = page.section("model").table()
    assert [row[0] for row in rows] == ["input", *(layer.name for layer in model.layers)]
    assert rows[3] == ["dense", "Dense, relu", "(None, 64)", "784 × 64 + 64", "50,240"]
    assert "RMSprop(learning_rate=0.001), 30 steps made" in page.section("model").text
    training = page.section("training")
    recorded = np.array([[float(cell) for cell in row] for row in training.table()])
    assert recorded[:, 0].tolist() == [1, 2, 3]
    np.testing.assert_allclose(recorded[:, 1:], np.array(list(history.history.values())).T, rtol=1e-3)
    charts = training.all("svg")
    assert [len(chart.all("path", "line")) for chart in charts] == [2, 2]  # loss, accuracy: training and validation
    last = f"{history.history['val_loss'][-1]:.4g}"
    assert last in str(charts[0].attributes["aria-label"])


@pytest.mark.parametrize("case", ["digits", "regression"])
def test_each_cell_of_a_wide_table_knows_its_column_for_a_phone(
    case: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    page = page_of(tmp_path, *request.getfixturevalue(case))
    tables = [
        table for table in page.all("table") if table.attributes.get("class", "") not in ("matrix", "matrix long")
    ]
    assert {"stack", None} <= {table.attributes.get("class") for table in tables}
    assert page.section("model").all("table")[0].attributes["class"] == "stack"
    for table in tables:
        head = [cell.text for cell in table.all("thead")[0].all("th")]
        assert (table.attributes.get("class") == "stack") == (len(head) > 3)
        for row in table.all("tbody")[0].all("tr"):
            assert [cell.attributes["data-label"] for cell in row.all("td")] == head[1:]


def test_curves_go_where_the_numbers_say(digits: Case, tmp_path: Path) -> None:
    page = page_of(tmp_path, digits.model, {"loss": [4.0, 2.0, 3.0], "val_loss": [4.0, float("nan"), 1.0]})
    first, second = (path.attributes["d"] or "" for path in page.section("training").all("path", "line"))
    places = [tuple(map(float, pair.split())) for pair in re.split("[ML]", first)[1:]]
    (x0, y0), (x1, y1), (x2, y2) = places
    assert x0 < x1 < x2
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y1 - y0 == pytest.approx(2 * (y1 - y2), abs=0.3)
    assert y1 > y2 > y0  # downwards on the screen
    assert second.count("M") == 2
    assert second.count("L") == 0  # NaN is a gap
    page = page_of(tmp_path, digits.model, {"accuracy": [0.9981, 0.9982], "loss": [2e6, 1e6]})
    for chart in page.section("training").all("svg"):
        numbers = [text.text for text in chart.all("text") if text.attributes.get("text-anchor") == "end"]
        assert len(set(numbers)) == len(numbers) > 2
        assert max(map(len, numbers)) < 8


def test_images_and_weights_are_painted(digits: Case, tmp_path: Path) -> None:
    model, _, x, y = digits
    page = page_of(tmp_path, *digits)
    shown = page.section("data").all("img")
    assert len(shown) == 20
    i = int(np.flatnonzero(y == 0)[0])
    assert shown[0].attributes["alt"] == f"Example {i}: 0"
    pixels, palette, _ = decode(shown[0].attributes["src"] or "")
    np.testing.assert_array_equal(pixels, 255 - x[i])
    assert not palette

    kernel = model.layers[2].kernel.numpy()
    section = page.section("weights")
    tiles = section.all("figure")
    strongest = int(np.square(kernel).sum(axis=0).argmax())
    assert tiles[0].text == str(strongest)
    levels, palette, opacity = decode(tiles[0].all("img")[0].attributes["src"] or "")
    values = kernel[:, strongest].reshape(28, 28)
    np.testing.assert_array_equal(np.sign(levels.astype(int) - 127), np.sign(np.rint(values / _scale(kernel) * 127)))
    assert len(palette) == 3 * 255
    assert (opacity[0], opacity[127], opacity[254]) == (255, 0, 255)
    assert palette[:3] != palette[-3:]
    assert not page_of(tmp_path, *digits, images=False).all("img")


def _scale(kernel: np.ndarray) -> float:
    order = np.argsort(-np.sqrt((kernel**2).sum(axis=0)), kind="stable")[:48]
    return float(np.quantile(np.abs(kernel[:, order]), 0.995))


def test_a_regression_has_predictions_against_truth(regression: Case, tmp_path: Path) -> None:
    model, _, x, y = regression
    page = page_of(tmp_path, *regression, class_names=["height", "width"])
    assert anchors(page) == [*EVERY, "predicted", "mistakes", "weights", "time", "repeat"]
    said = model.predict(x, verbose=0)
    for k, row in enumerate(page.section("predicted").table()):
        errors = said[:, k] - y[:, k]
        explained = 1 - (errors**2).mean() / y[:, k].var()
        assert row[0] == ("height", "width")[k]
        expected = [explained, np.abs(errors).mean(), np.sqrt((errors**2).mean()), errors.mean()]
        np.testing.assert_allclose([float(cell) for cell in row[1:]], expected, rtol=2e-3)
    groups = page.section("predicted").all("g", "points")
    assert [len(group.all("circle")) for group in groups] == [100, 100]
    worst = int(np.abs(said - y).max(axis=1).argmax())
    assert page.section("mistakes").table()[0][0] == f"example {worst}"
    assert "no" in page.section("weights").text
    assert not page.all("img")


@pytest.mark.parametrize("loss", ["binary_crossentropy", "hinge", losses.BinaryCrossentropy(from_logits=True)])
def test_two_classes_of_one_output(loss: Any, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(80, 3))
    y = (x[:, 0] > 0.3).astype(int)
    activation = "sigmoid" if loss == "binary_crossentropy" else None
    model = Sequential([Dense(1, activation)]).compile("adam", loss)
    history = model.fit(x, y, epochs=2, verbose=0)
    page = page_of(tmp_path, model, history, x, y, class_names=["no", "yes"])
    said = (model.predict(x, verbose=0)[:, 0] > (0.5 if activation else 0)).astype(int)
    expected = np.zeros((2, 2), int)
    np.add.at(expected, (y, said), 1)
    matrix = page.section("confusion").table()
    assert [row[0] for row in matrix] == ["no", "yes"]
    assert [[int(cell) for cell in row[1:]] for row in matrix] == expected.tolist()
    assert ("no probabilities" in page.section("mistakes").text) == (loss == "hinge")


def test_several_labels_an_example_are_told_one_by_one(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(80, 3))
    y = (x > 0).astype(int)
    model = Sequential([Dense(3, "sigmoid")]).compile("adam", "bce")
    history = model.fit(x, y, epochs=2, verbose=0)
    page = page_of(tmp_path, model, history, x, y)
    said = model.predict(x, verbose=0) > 0.5
    for k, row in enumerate(page.section("classes").table()):
        assert row[1] == f"{100 * (said[:, k] == y[:, k]).mean():.1f} %"
        assert row[2] == f"{100 * said[y[:, k] == 1, k].mean():.1f} %"
    # One label each: classes after all.
    rows = to_categorical(y.argmax(axis=1), 3)
    assert "confusion" in anchors(page_of(tmp_path, model, None, x, rows))


@pytest.mark.parametrize("units", [1, 16])
def test_shades_are_no_answers_of_yes_or_no(units: int, tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((60, 16))
    model = Sequential([Dense(5, "relu"), Dense(units, "sigmoid")]).compile("adam", "bce")
    history = model.fit(x, x[:, :units], verbose=0)
    page = page_of(tmp_path, model, history, x, x[:, :units])
    assert "predicted" in anchors(page)
    assert len(page.section("predicted").table()) == units


def test_labels_or_rows_whatever_the_loss(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 4
    pages = []
    for loss, wanted in (("sparse_categorical_crossentropy", y), ("categorical_crossentropy", to_categorical(y, 4))):
        set_random_seed(1)
        model = Sequential([Input((3,)), Dense(4, "softmax")]).compile("sgd", loss, ["accuracy"])
        model.fit(x, wanted, verbose=0)
        for given in (y, y[:, None], to_categorical(y, 4)):
            page = page_of(tmp_path, model, None, x.tolist(), given)
            pages.append((page.section("confusion").text, page.section("evaluation").text))
    assert len(set(pages)) == 1


def test_sparse_examples(tmp_path: Path) -> None:
    x = scipy.sparse.random(90, 400, 0.1, format="coo", random_state=np.random.default_rng(0))
    y = np.arange(90) % 3
    model = Sequential([Dense(3, "softmax")]).compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    model.fit(x, y, verbose=0)
    page = page_of(tmp_path, model, None, x, y)
    assert page.section("data").table()[0][2] == "float64, sparse"
    dense = page_of(tmp_path, model, None, x.toarray(), y)
    assert dense.section("mistakes").text == page.section("mistakes").text
    assert len(page.section("data").all("img")) == len(dense.section("data").all("img")) > 0  # 20 x 20
    x.row[3] = 90
    with pytest.raises(ValueError, match=r"x\.row holds 90 at index 3"):
        page_of(tmp_path, model, None, x, y)


def test_nothing_given_is_said_and_nothing_broken(digits: Case, tmp_path: Path) -> None:
    page = page_of(tmp_path, digits.model)
    assert anchors(page) == [*EVERY, "weights", "time", "repeat"]
    for name, text in (
        ("data", "No data were given"),
        ("training", "No history was given"),
        ("evaluation", "No x and y were given"),
        ("time", "No profile was taken"),
    ):
        assert text in page.section(name).text
    bare = Sequential.from_config(digits.model.get_config())
    bare.set_weights(digits.model.get_weights())
    assert "no, so optimizer and loss are not known" in page_of(tmp_path, bare).section("model").text


def test_no_mistakes_are_said(tmp_path: Path) -> None:
    x = np.eye(3).repeat(5, axis=0)
    model = Sequential([Input((3,)), Dense(3, "softmax")])
    model.set_weights([20 * np.eye(3), [0, 0, 1e-3]])
    model.compile("sgd", "sparse_categorical_crossentropy")
    page = page_of(tmp_path, model, None, x, np.arange(15) // 5)
    assert "There are none" in page.section("mistakes").text
    assert "100.00 %" in page.section("evaluation").text


def test_the_profile_is_shown(digits: Case, tmp_path: Path) -> None:
    model, _, x, y = digits
    given = model.profile(x, to_categorical(y, 10), batch_size=50, print_fn=None)
    page = page_of(tmp_path, model, profile=given)
    section = page.section("time")
    assert "4 steps" in section.text
    named = " ".join(row[0] for row in section.table())
    assert all(row.kernel in named for row in given)
    shares = [row[1].replace("\xa0", " ") for row in section.table()]
    assert all(percent(row.seconds / given.seconds).replace("\xa0", " ") in shares for row in given)
    assert "No profile" in page_of(tmp_path, *digits, profile=False).section("time").text
    assert "4 steps" in page_of(tmp_path, *digits, batch_size=50).section("time").text
    assert "7 steps" in page_of(tmp_path, *digits).section("time").text  # of 32 by default


def test_its_program_makes_the_same_network_again(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(70, 5))
    y = to_categorical(np.arange(70) % 3, 3)
    set_random_seed(11)
    model = Sequential(
        [
            layers.Input((5,)),
            layers.Dense(6, kernel_regularizer={"class_name": "L2", "config": {"l2": 0.01}}),
            layers.BatchNormalization(),
            layers.LeakyReLU(0.2),
            layers.Dropout(0.1),
            Sequential([layers.Dense(4, "tanh", activity_regularizer="l2"), layers.Dense(4)]),
            layers.Dense(3, activation="softmax", name="last"),
        ],
        name="small",
    )
    model.compile("nadam", losses.CategoricalCrossentropy(label_smoothing=0.1), ["accuracy", "f1_score"])
    history = model.fit(x, y, epochs=2, batch_size=16, verbose=0)
    page = page_of(tmp_path, model, history, x, y, seed=11, batch_size=16)
    program = page.section("repeat").all("pre")[0].text
    scope: dict[str, Any] = {"x_train": x, "y_train": y}
    exec(program, scope)
    assert scope["model"].get_config() == model.get_config()
    for mine, theirs in zip(model.get_weights(), scope["model"].get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    text = page.section("repeat").text
    assert f"numpy{np.__version__}" in text
    assert "f1_score" in page.section("training").all("p", "note")[0].text  # a number a class, so not a curve
    described = json.loads(page.section("repeat").all("details")[0].all("pre")[0].text)
    assert Sequential.from_config(described["config"]).get_config() == model.get_config()
    assert described["compile"]["optimizer"]["class_name"] == "Nadam"
    assert described["fit"] == {"seed": 11, "batch_size": 16, "epochs": 2}
    assert described["computed_with"]["numpy"] == np.__version__


def test_what_is_missing_to_repeat_it_is_said(digits: Case, tmp_path: Path) -> None:
    missing = ("No seed was given", "No batch size was given", "the same validation_split")
    text = page_of(tmp_path, *digits).section("repeat").text
    assert all(words in text for words in missing)
    assert "batch_size=32, epochs=3)" in text
    text = page_of(tmp_path, digits.model, {"loss": [1.0]}, seed=3, batch_size=64).section("repeat").text
    assert not any(words in text for words in missing)


@pytest.mark.parametrize(
    ("val_loss", "words"),
    [
        ([3.0, 2.0, 1.0], "in the last epoch: more epochs might still help"),
        ([3.0, 1.0, 1.02], "1, after epoch 2 of 3 and has hardly changed since"),
        ([3.0, 1.0, 2.0], "1, after epoch 2 of 3: what came later"),
        ([3.0, 1.0, float("nan")], "1, after epoch 2 of 3: what came later"),
    ],
)
def test_the_verdict_on_the_validation_loss(val_loss: list[float], words: str, digits: Case, tmp_path: Path) -> None:
    page = page_of(tmp_path, digits.model, {"loss": [3.0, 2.0, 1.0], "val_loss": val_loss})
    assert f"The validation loss was least{'' if words[0] == 'i' else ','} {words}" in page.section("training").text


class Twice(layers.Layer):
    def call(self, x: Any, training: bool = False) -> Any:
        return 2 * x

    def gradient(self, x: Any, y: Any, dy: Any) -> Any:
        return 2 * dy


def test_layers_and_losses_of_ones_own(tmp_path: Path) -> None:
    def cubic(y_true: Any, y_pred: Any) -> Any:
        return (np.abs(y_pred - y_true) ** 3).mean(axis=1)

    loss = losses.custom(cubic, lambda t, p: 3 * np.abs(p - t) * (p - t) / t.shape[1])
    x = np.linspace(-1, 1, 40)[:, None]
    model = Sequential([Twice(), Dense(1)]).compile("sgd", loss)
    page = page_of(tmp_path, model, model.fit(x, x, epochs=2, verbose=0), x, x)
    assert "Twice: layers of your own" in page.section("repeat").text
    assert "cubic" in page.section("repeat").text


# What is safe ---------------------------------------------------------------------------------------------------------


class Called(Twice):
    """An argument that cannot be recorded."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function


def test_a_layer_that_cannot_be_described_does_not_stop_the_report(tmp_path: Path) -> None:
    model = Sequential([Input((3,)), Called(np.sin), Dense(2)])
    model.compile("sgd", "mse")
    history = model.fit(np.ones((8, 3)), np.ones((8, 2)), verbose=0)
    page = page_of(tmp_path, model, history)
    assert "cannot be written: argument 'function' of Called" in page.section("repeat").text


def test_texts_of_the_user_are_text(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>\"'&\ud800"
    x = np.random.default_rng(0).normal(size=(40, 2))
    y = np.arange(40) % 2
    model = Sequential([Input((2,)), Dense(2, "softmax", name=bad)], name=bad)
    model.compile("sgd", "sparse_categorical_crossentropy", ["accuracy"])
    history = model.fit(x, y, epochs=2, verbose=0).history | {bad: [1.0, 2.0], f"val_{bad}": [1.0, 2.0]}
    path = report(model, history, x, y, tmp_path / "p.html", title=bad, about=bad, class_names=[bad, "b" + bad])
    text = path.read_text(encoding="utf-8")
    assert "<script" not in text
    page = parse(text)
    assert page.all("h1")[0].text == bad.replace("\ud800", "?")
    assert bad.replace("\ud800", "?") in page.section("data").text
    assert not re.search(r"<[^>]*\bon\w+=", text)


def test_control_characters_of_a_name_are_escapes(tmp_path: Path) -> None:
    bad = "a\x00\x1b[31m\x85\u202e\n\tb"
    x = np.random.default_rng(0).normal(size=(40, 2))
    y = np.arange(40) % 2
    metric = metrics.SparseCategoricalAccuracy(name=bad)
    model = Sequential([Input((2,)), Dense(2, "softmax", name=bad)], name=bad)
    model.compile("sgd", losses.SparseCategoricalCrossentropy(name=bad), [metric])
    history = model.fit(x, y, epochs=2, verbose=0)
    path = report(model, history, x, y, tmp_path / "p.html", title=bad, about=bad, class_names=[bad, "b" + bad])
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert parse(text).all("h1")[0].text == "a\\x00\\x1b[31m\\x85\\u202e\n\tb"


def test_it_refers_to_nothing_outside(digits: Case, tmp_path: Path) -> None:
    path = report(*digits, tmp_path / "p.html")
    text = path.read_text(encoding="utf-8")
    texts = re.sub(r'="data:[^"]*"', '=""', text)
    assert not re.search(r"https?:|//\w|url\(|@import|<(script|iframe|object|embed|base)", texts)
    for name in ("src", "href", "srcset", "data", "action", "poster"):
        values = re.findall(rf"<[^>]*\s{name}=\"([^\"]*)\"", text)
        assert all(value.startswith(("data:", "#")) for value in values)
    assert "default-src 'none'" in text


def test_the_largest_is_below_three_megabytes(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x = generator.random((1500, 200, 200), np.float32)
    y = generator.integers(0, 1000, 1500)
    model = Sequential([layers.Input((200, 200)), layers.Flatten(), Dense(60, "relu"), Dense(1000, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", ["accuracy"])
    model.fit(x, y, verbose=0)
    record = {f"{name}{'m' * 500}": generator.random(20_000).tolist() for name in range(60)}
    page = page_of(tmp_path, model, record, x, y, class_names=[f"{k}{'n' * 3000}" for k in range(1000)])
    assert page.section("confusion").all("img", "map")
    pixels, _, _ = decode(page.section("mistakes").all("img")[0].attributes["src"] or "")
    assert pixels.shape == (50, 50)


def test_neither_the_model_nor_the_random_numbers_change(digits: Case, tmp_path: Path) -> None:
    model, history, x, y = digits
    assert model.optimizer is not None
    before = copy.deepcopy(model)
    record = copy.deepcopy(history.history)
    state, global_state = rng.generator().bit_generator.state, np.random.get_state()[1].copy()  # noqa: NPY002
    report(*digits, tmp_path / "p.html")
    assert rng.generator().bit_generator.state == state
    np.testing.assert_array_equal(np.random.get_state()[1], global_state)  # noqa: NPY002
    assert (model.history, history.history) == (history, record)
    assert model.optimizer.iterations == before.optimizer.iterations
    batch = x[:32], to_categorical(y[:32], 10)
    after = copy.deepcopy(model)
    for one in (before, after):
        one.train_on_batch(*batch)  # shows the optimizer's state too
    for mine, theirs in zip(after.get_weights(), before.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_it_warns_of_nothing_and_prints_nothing(capsys: Any, tmp_path: Path) -> None:
    x, y = np.ones((10, 2)), np.ones((10, 2))  # constant
    model = Sequential([Dense(2, "softmax")])
    model.compile("sgd", losses.MeanSquaredError())
    history = model.fit(x, to_categorical([0] * 10, 2), verbose=0)
    constant = Sequential([Dense(2)]).compile("sgd", "mse")
    both = constant.fit(x, y, verbose=0)
    doubtful = Sequential([Dense(2)]).compile("sgd", "sparse_categorical_crossentropy")
    with pytest.warns(UserWarning, match="expects probabilities"):
        doubtful.fit(x, [0] * 10, verbose=0)
    capsys.readouterr()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report(model, history, x, [0] * 10, tmp_path / "a.html")
        report(constant, both, x, y, tmp_path / "b.html")
        report(constant, both, x[:1], y[:1], tmp_path / "c.html")
        report(doubtful, None, x, [0] * 10, tmp_path / "d.html")
    assert capsys.readouterr() == ("", "")


# What is refused ------------------------------------------------------------------------------------------------------


def _refusals() -> dict[str, tuple[Any, type[Exception], str]]:
    x, y = np.zeros((4, 28, 28)), np.zeros(4, int)
    return {
        "no model": (lambda m, h: {"model": 3}, TypeError, "model must be a fastnet.Sequential, got 3"),
        "x alone": (lambda m, h: {"x": x}, ValueError, "x without y"),
        "y alone": (lambda m, h: {"y": y}, ValueError, "y without x"),
        "shape": (lambda m, h: {"x": x[:, :5], "y": y}, ValueError, r"expects examples of shape \(28, 28\)"),
        "lengths": (lambda m, h: {"x": x, "y": y[:3]}, ValueError, "same number of examples, got 4 and 3"),
        "no examples": (lambda m, h: {"x": x[:0], "y": y[:0]}, ValueError, "0 examples"),
        "label": (lambda m, h: {"x": x, "y": y + 10}, ValueError, r"label 10 at index 0 .* the model has 10 outputs"),
        "rows": (lambda m, h: {"x": x, "y": np.zeros((4, 9))}, ValueError, r"shape \(4, 9\)"),
        "generator": (lambda m, h: {"x": iter([]), "y": y}, TypeError, "not numeric"),
        "nan": (lambda m, h: {"x": x * np.nan, "y": y}, ValueError, "x holds nan"),
        "empty history": (lambda m, h: {"history": {}}, ValueError, "history is empty"),
        "no epochs": (lambda m, h: {"history": {"loss": []}}, ValueError, "history is empty"),
        "history": (lambda m, h: {"history": 5}, TypeError, "history must be what fit"),
        "history of texts": (lambda m, h: {"history": {"loss": ["a"]}}, TypeError, "must hold numbers"),
        "names": (lambda m, h: {"class_names": ["a"]}, ValueError, "1 names, but the model tells 10 apart"),
        "name": (lambda m, h: {"class_names": "0123456789"}, TypeError, "class_names must be a list"),
        "title": (lambda m, h: {"title": 1}, TypeError, "title must be a string"),
        "about": (lambda m, h: {"about": None}, TypeError, "about must be a string"),
        "profile": (lambda m, h: {"profile": "yes"}, TypeError, "profile must be what model.profile"),
        "images": (lambda m, h: {"images": 1}, TypeError, "images must be True or False"),
        "batch": (lambda m, h: {"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        "seed": (lambda m, h: {"seed": 1.5}, TypeError, "seed must be an integer"),
    }


@pytest.mark.parametrize("what", _refusals())
def test_bad_arguments_are_refused_and_the_file_stays(what: str, digits: Case, tmp_path: Path) -> None:
    change, kind, message = _refusals()[what]
    path = tmp_path / "page.html"
    path.write_text("before")
    arguments = {"model": digits.model, "path": path} | change(digits.model, digits.history)
    with pytest.raises(kind, match=message):
        report(**arguments)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["page.html"]


def test_models_that_nothing_can_be_said_of(tmp_path: Path) -> None:
    path = tmp_path / "p.html"
    unbuilt = Sequential([Dense(2)]).compile("sgd", "mse")
    with pytest.raises(ValueError, match="has no weights yet"):
        report(unbuilt, path=path)
    untrained = Sequential([Input((2,)), Dense(2)]).compile("sgd", "mse")
    with pytest.raises(ValueError, match="never trained"):
        report(untrained, path=path)
    untrained.layers[0].kernel.packed[...] = np.nan
    with pytest.raises(ValueError, match="dense/kernel hold NaN or infinite"):
        report(untrained, path=path)
    loaded = Sequential([Input((2,)), Dense(2)])
    loaded.set_weights([np.ones((2, 2)), np.ones(2)])
    with pytest.raises(RuntimeError, match="call compile"):
        report(loaded, None, np.ones((3, 2)), np.ones((3, 2)), path)
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="outputs for x hold NaN or infinite"):
        report(loaded.compile("sgd", "mse"), None, np.full((3, 2), 3e38), np.ones((3, 2)), path)
    assert not path.exists()


def test_where_it_is_written(digits: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        report(digits.model, path=tmp_path / "none" / "p.html")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        report(digits.model, path=tmp_path)
    with pytest.raises(TypeError, match=r"path must be a file's name, got 5\.5"):
        report(digits.model, path=5.5)
    monkeypatch.chdir(tmp_path)
    assert report(digits.model) == Path("report.html")
    assert report(digits.model, path="other.html") == Path("other.html")
    assert sorted(os.listdir(tmp_path)) == ["other.html", "report.html"]


def test_a_file_is_replaced_whole_or_not_at_all(digits: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.html"
    path.write_text("before")

    def fail(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        report(digits.model, path=path)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["p.html"]
