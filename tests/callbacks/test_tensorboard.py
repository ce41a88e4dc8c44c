"""TensorBoard writes the results to event files; RemoteMonitor sends them; ProgbarLogger is accepted."""

import builtins
import http.server
import json
import struct
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnet import Sequential, callbacks
from fastnet.layers import Dense, Input

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
Y = np.eye(2, dtype=np.float32)[(X[:, 0] > 0).astype(int)]


def compiled() -> Sequential:
    model = Sequential([Input((3,)), Dense(2, activation="softmax")])
    return model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])


# TensorBoard ----------------------------------------------------------------------------------------------------------


def read(folder: Path) -> dict[str, dict[int, Any]]:
    """Reads the event files of a folder: by tag and step a number, or a histogram's count."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found: dict[str, dict[int, Any]] = {}
    for path in sorted(folder.glob("events*")):
        data = path.read_bytes()
        while data:  # each record: its length, a checksum, the record, a checksum
            (length,) = struct.unpack("<Q", data[:8])
            event = event_pb2.Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]
            for value in event.summary.value:
                is_number = value.HasField("simple_value")
                found.setdefault(value.tag, {})[event.step] = value.simple_value if is_number else value.histo.num
    return found


def test_the_results_of_epochs_and_evaluations_are_in_two_folders(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    model = compiled()
    board = callbacks.TensorBoard(tmp_path, histogram_freq=2, write_steps_per_second=True)
    history = model.fit(X, Y, epochs=3, verbose=0, validation_split=0.2, callbacks=board).history
    train, validation = read(tmp_path / "train"), read(tmp_path / "validation")
    for name in "loss", "accuracy":
        np.testing.assert_allclose(list(train[f"epoch_{name}"].values()), history[name], rtol=1e-6)
        np.testing.assert_allclose(list(validation[f"epoch_{name}"].values()), history[f"val_{name}"], rtol=1e-6)
        evaluations = validation[f"evaluation_{name}_vs_iterations"]
        assert list(evaluations) == [1, 2, 3]  # one step an epoch
        np.testing.assert_allclose(list(evaluations.values()), history[f"val_{name}"], rtol=1e-6)
    assert list(train["epoch_learning_rate"].values()) == pytest.approx([0.01] * 3)
    assert all(value > 0 for value in train["epoch_steps_per_second"].values())
    assert train["dense/kernel/histogram"] == {0: 6, 2: 6}
    assert train["dense/bias/histogram"] == {0: 2, 2: 2}
    assert not [tag for tag in train if tag.startswith("batch_")]


def test_the_results_of_batches(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    losses = []
    note = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: losses.append(logs["loss"]))
    model = compiled()
    board = callbacks.TensorBoard(tmp_path, update_freq=2)
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[note, board])
    found = read(tmp_path / "train")["batch_loss"]
    assert list(found) == [2, 4, 6, 8, 10]
    np.testing.assert_allclose(list(found.values()), losses[1::2], rtol=1e-6)
    assert not (tmp_path / "validation").exists()
    model.evaluate(X, Y, verbose=0, callbacks=board)
    assert list(read(tmp_path / "validation")) == ["evaluation_loss_vs_iterations", "evaluation_accuracy_vs_iterations"]


def test_without_the_package_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def fail(name: str, *args: Any) -> Any:
        if name == "tensorboardX":
            raise ModuleNotFoundError(name=name)
        return imported(name, *args)

    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(ModuleNotFoundError, match=r'python -m pip install "fastnet-mlp\[tensorboard\]"'):
        callbacks.TensorBoard()


def test_what_it_does_not_write_is_refused() -> None:
    with pytest.raises(ValueError, match="write_images is True, but"):
        callbacks.TensorBoard(write_images=True)
    with pytest.raises(ValueError, match=r"profile_batch is \(2, 4\), but"):
        callbacks.TensorBoard(profile_batch=(2, 4))
    with pytest.raises(ValueError, match="fastnet has no embeddings"):
        callbacks.TensorBoard(embeddings_freq=1)
    with pytest.raises(ValueError, match="did you mean 'epoch'"):
        callbacks.TensorBoard(update_freq="epochs")


# RemoteMonitor --------------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[tuple[str, list[Any]]]:
    requests: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            requests.append((self.path, self.headers["Content-Type"], self.headers["X-Key"], body))
            self.send_response(200 if self.path.startswith("/publish") else 500)
            self.end_headers()

        def log_message(self, *args: Any) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", requests
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("as_json", [False, True])
def test_each_epoch_is_sent(server: tuple[str, list[Any]], as_json: bool) -> None:
    address, requests = server
    monitor = callbacks.RemoteMonitor(address, field="sent", headers={"X-Key": "k"}, send_as_json=as_json)
    history = compiled().fit(X, Y, epochs=2, verbose=0, callbacks=monitor).history
    for epoch, (path, kind, key, body) in enumerate(requests):
        assert (path, key) == ("/publish/epoch/end/", "k")
        assert kind == ("application/json" if as_json else "application/x-www-form-urlencoded")
        sent = json.loads(body if as_json else urllib.parse.parse_qs(body)["sent"][0])
        assert sent == {"epoch": epoch, **{name: values[epoch] for name, values in history.items()}}
    assert len(requests) == 2


def test_a_server_that_fails_gives_a_warning(server: tuple[str, list[Any]]) -> None:
    address, _ = server
    for monitor in callbacks.RemoteMonitor("http://127.0.0.1:9"), callbacks.RemoteMonitor(address, path="/other"):
        with pytest.warns(UserWarning, match="RemoteMonitor could not reach http://127.0.0.1"):
            assert compiled().fit(X, Y, verbose=0, callbacks=monitor).epoch == [0]


# ProgbarLogger --------------------------------------------------------------------------------------------------------


def test_the_progress_bar_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    compiled().fit(X, Y, verbose=2, callbacks=[callbacks.ProgbarLogger()])
    assert capsys.readouterr().out.count("loss:") == 1
    compiled().fit(X, Y, verbose=0, callbacks=[callbacks.ProgbarLogger()])
    assert capsys.readouterr().out == ""
