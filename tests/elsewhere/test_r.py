"""fastnet in R, over reticulate: the example, its helpers, docs/from-r.md, what R's values become, errors and Ctrl-C.

They need R with reticulate, and FASTNET_R_PYTHON, a Python with fastnet and a NumPy that this reticulate can use:
below 2 for the reticulate of Debian 12.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnet
from fastnet import datasets, kernels, layers
from fastnet.utils import set_random_seed, to_categorical

DOCS = Path(__file__).parents[2] / "docs"
R = Path(__file__).parent / "r"
PYTHON = os.environ.get("FASTNET_R_PYTHON", "")
pytestmark = [
    pytest.mark.skipif(not shutil.which("Rscript"), reason="needs R and reticulate: r-base-core and r-cran-reticulate"),
    pytest.mark.skipif(not PYTHON, reason="needs FASTNET_R_PYTHON, a Python with fastnet and numpy<2"),
]


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """A function that runs R code beside the two example files and returns what it prints."""
    for file in [*DOCS.glob("examples/*.R"), R / "show.R"]:
        shutil.copy(file, tmp_path)
    environment = os.environ | {"RETICULATE_PYTHON": PYTHON, "XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    environment |= {"https_proxy": "http://127.0.0.1:9", "LC_ALL": "C.UTF-8"}
    if environment.get("FASTNET_DATA"):
        environment["FASTNET_DATA"] = os.path.abspath(environment["FASTNET_DATA"])

    def run_code(code: str, *arguments: str) -> str:
        (tmp_path / "code.R").write_text(code, encoding="utf-8")
        done = subprocess.run(
            ["Rscript", "code.R", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run_code


def numbers(output: str, name: str) -> list[float]:
    """The numbers that `show` printed under this name, bit for bit."""
    (line,) = re.findall(rf"(?m)^{name}:(.*)$", output)
    return [float.fromhex(word) for word in line.split()]


PLAIN = 'library(reticulate)\nfastnet <- import("fastnet")\n'


def test_the_script_has_the_bits_of_python(run: Any, tmp_path: Path) -> None:
    code = 'source("mnist.R")\nsource("show.R")\n'
    code += "show('losses', as.data.frame(history)$loss)\nshow('accuracies', as.data.frame(history)$accuracy)\n"
    code += "show('metrics', metrics)\nshow('predictions', predict(network, x_test[1:10, ], verbose = 0))\n"
    output = run(code, "2")
    assert (tmp_path / "Rplots.pdf").stat().st_size > 2000

    set_random_seed(0)
    try:
        (x_train, labels), (x_test, test_labels) = datasets.mnist.load_data()
    except datasets.mnist.MnistNotFoundError:
        assert "MNIST was not found" in output
        (x_train, labels), (x_test, test_labels) = datasets.synthetic.load_data()
    x_train, x_test = x_train.reshape(-1, 784) / 255, x_test.reshape(-1, 784) / 255
    network = fastnet.Sequential([layers.Dense(512, "relu", input_shape=(784,)), layers.Dense(10, "softmax")])
    network.compile("rmsprop", "categorical_crossentropy", ["accuracy"])
    history = network.fit(x_train, to_categorical(labels), epochs=2, batch_size=128, verbose=0).history
    assert numbers(output, "losses") == history["loss"]
    assert numbers(output, "accuracies") == history["accuracy"]
    assert numbers(output, "metrics") == network.evaluate(x_test, to_categorical(test_labels), verbose=0)
    predictions = network.predict(x_test[:10], verbose=0)
    assert numbers(output, "predictions") == predictions.ravel("F").tolist()
    assert "predicted " + " ".join(map(str, predictions.argmax(axis=1))) in output
    assert "true      " + " ".join(map(str, test_labels[:10])) in output


def test_pipes_factors_and_models_that_survive_saverds(run: Any) -> None:
    output = run((R / "iris.R").read_text())
    assert "leaky_re_lu (LeakyReLU)" in output
    assert "Sequential([Input((2, 2)), Flatten(), Dense(1)])" in output
    first, second = re.findall(r"(?m)^continued:.*$", output)
    assert first == second


def test_what_r_passes_is_read_as_what_it_is(run: Any) -> None:
    output = run((R / "values.R").read_text())
    x = (np.arange(1, 25) * 7 % 11).reshape((6, 4), order="F")
    targets = np.eye(3)[[0, 1, 2, 0, 1, 2]]

    def model(**arguments: Any) -> fastnet.Sequential:
        set_random_seed(1)
        made = fastnet.Sequential([layers.Dense(8, "relu", input_shape=4), layers.Dense(3)])
        made.compile("sgd", "mse", **arguments)
        return made

    history = model().fit(x, targets, epochs=3, batch_size=2, verbose=0).history
    assert numbers(output, "losses") == history["loss"]
    weighted = model().fit(x, targets, class_weight={0: 2, 2: 3}, verbose=0).history
    assert numbers(output, "weighted") == weighted["loss"]
    assert numbers(output, "seen")[::2] == [0, 1]
    made = model(metrics=["mae"], weighted_metrics=["mae"])
    kernel, bias, second, _ = made.get_weights()
    made.set_weights([kernel * 2, bias, second, np.zeros(3)])
    assert numbers(output, "weights") == np.concatenate([w.ravel("F") for w in made.get_weights()]).tolist()
    assert numbers(output, "one row") == made.predict(x[:1], verbose=0)[0].tolist()
    assert numbers(output, "metrics") == made.evaluate(x, targets, verbose=0)
    assert numbers(output, "one example") == [2.0 * (x[0].sum() - 3.0) ** 2]
    assert numbers(output, "labels") == [0, 1, 0, 0, 0, 1, 1, 0, 0]


REFUSED = {
    "m$fit(x, factor(letters[1:6]))": "TypeError: y has dtype .* as.integer\\(factor\\(y\\)\\) - 1",
    "m$fit(x, c(0, 1, NA, 0, 1, 2))": "ValueError: y: label nan at index 2 is not a whole number",
    "m$fit(x, c(0L, 1L, NA, 0L, 1L, 2L))": "ValueError: y holds NA at index 2; expected a number",
    "m$predict(matrix(c(1L, NA), 1, 4))": "ValueError: x holds NA at row 0, column 1; expected a number",
    "m$predict(matrix(c(1, NA), 1, 4))": "ValueError: x holds nan at row 0, column 1; expected finite numbers",
    "m$predict(x[1, ])": "ValueError: x has 1 dimensions.* for one example use matrix\\(x, 1\\)",
    "m$predict(array(1, c(5, 2, 2)))": "x has shape \\(5, 2, 2\\).* use array_reshape\\(x, c\\(5, 4\\)\\)",
    "m$predict(iris)": "TypeError: x .*(as.matrix\\(x\\)|model.matrix\\(~ ., x\\)\\[, -1\\])",
    "m$fit(x, y, epochs = 2.5)": "TypeError: epochs must be an integer, got 2.5",
    "m$fit(x, y, epochs = NA)": "TypeError: epochs must be an integer, got True",
    "m$fit(x, y, epochs = NaN)": "TypeError: epochs must be an integer, got nan",
    "m$fit(x, y, class_weight = c(1, 2))": 'TypeError: class_weight must be a dict .* use list\\("0" = 1, "1" = 2\\)',
    "m$compile('adm', 'mse')": "ValueError: unknown optimizer 'adm'; did you mean 'adam'\\?",
    "m$fit(x, as.integer(y) + 1)": "label 3.* at index 2 is not in \\[0, 3\\)",
}


def test_an_error_in_python_is_an_error_in_r(run: Any) -> None:
    code = (
        PLAIN
        + """
m <- fastnet$Sequential(list(fastnet$layers$Dense(3, activation = "softmax", input_shape = c(4))))
m$compile("sgd", "sparse_categorical_crossentropy")
x <- matrix(1, 6, 4); y <- c(0, 1, 2, 0, 1, 2)
refused <- function(code) cat(tryCatch({ code; "not refused" }, error = conditionMessage), "\\n===\\n")
"""
    )
    parts = run(code + "".join(f"refused({call})\n" for call in REFUSED)).split("\n===\n")
    for (call, message), said in zip(REFUSED.items(), parts, strict=False):
        assert re.search(message, said), (call, said)
        assert "Warning" not in said, said


def test_ctrl_c_stops_a_training_and_r_goes_on(run: Any) -> None:
    output = run(
        PLAIN
        + """
m <- fastnet$Sequential(list(fastnet$layers$Dense(512, activation = "relu"), fastnet$layers$Dense(10)))
m$compile("rmsprop", "mse")
x <- matrix(runif(5000 * 200), 5000); y <- matrix(runif(5000 * 10), 5000)
press <- function(code) {
  system(sprintf("(sleep 2; kill -INT %d) &", Sys.getpid()))
  cat(tryCatch({ code; "it went on" }, interrupt = function(condition) "stopped"), "\\n")
}
press(m$fit(x, y, epochs = 1e6, verbose = 0))
press(m$fit(x, y, epochs = 1e6, verbose = 0, callbacks = list(fastnet$callbacks$LambdaCallback(
  on_train_batch_end = function(batch, logs) NULL))))
press(Sys.sleep(60))
m$fit(x, y, verbose = 2)
"""
    )
    assert output.count("stopped") == 3
    assert "157/157 - " in output


BLOCK = re.compile(r"^```r\n(.*?)^```\n(?:\n*^```output\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)


def test_the_page_shows_what_its_code_prints(run: Any, mnist_folder: Path) -> None:
    if kernels.isa == "baseline":
        pytest.skip("its numbers are those of kernels that multiply and add with one rounding")
    blocks = BLOCK.findall((DOCS / "from-r.md").read_text(encoding="utf-8"))
    assert len(blocks) > 5
    output = run("".join(f'{code}\ncat("\\n===\\n")\n' for code, _ in blocks))

    def without_times(text: str) -> str:
        return re.sub(r"\d+s - \d+\w+/step", "", text).strip()

    printed = [without_times(part) for part in output.split("\n===\n")]
    assert printed[: len(blocks)] == [without_times(shown) for _, shown in blocks]
