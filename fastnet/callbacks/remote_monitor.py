"""RemoteMonitor: sends the results of each epoch to a web server."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fastnet.callbacks.base import Callback, Logs

_PATIENCE = 10  # seconds that a server may take to answer


class RemoteMonitor(Callback):
    """Sends a POST request with the epoch's number and the logs, as JSON, after each epoch.

    A server that does not answer, or that answers with an error, gives a warning. The training goes on.

    Args:
        root: the server's address.
        path: the path there.
        field: the name of the form's field that holds the JSON text.
        headers: a dict of further headers of the request, or None.
        send_as_json: whether to send the JSON text itself, as ``application/json``, instead of a form.
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: dict[str, str] | None = None,
        send_as_json: bool = False,
    ) -> None:
        self.root, self.path, self.field = root, path, field
        self.headers = headers
        self.send_as_json = bool(send_as_json)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        import json
        from urllib import parse, request

        if not self._writes:
            return
        values: dict[str, Any] = {name: np.asarray(value).tolist() for name, value in (logs or {}).items()}
        text, kind = json.dumps({"epoch": epoch, **values}), "application/json"
        if not self.send_as_json:
            text, kind = parse.urlencode({self.field: text}), "application/x-www-form-urlencoded"
        message = request.Request(
            self.root + self.path, text.encode(), {"Content-Type": kind, **(self.headers or {})}, method="POST"
        )
        try:
            with request.urlopen(message, timeout=_PATIENCE):
                pass
        except OSError as error:  # also an HTTPError
            warnings.warn(f"RemoteMonitor could not reach {self.root}: {error}", stacklevel=2)
