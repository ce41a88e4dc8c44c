"""The playground's server: serves one page, to this machine only.

It computes nothing and accepts no data, because the page contains the network. It refuses every other request of a
browser, or of a foreign web site that uses the browser, without reading it.
"""

from __future__ import annotations

import io
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

from fastnet.playground.page import policy

ADDRESS = "127.0.0.1"
CONNECTIONS = 32  # open at the same time; a page needs one
SECONDS = 10  # time limit to receive a request, and to send an answer


class Request(socket.SocketIO):
    """The input of a connection, with a time limit for the whole request, so that single bytes do not extend it."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        super().__init__(connection, "r")
        self._connection = connection
        self._end = time.monotonic() + seconds

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request took too long")
        self._connection.settimeout(left)
        return super().readinto(buffer)


class Handler(BaseHTTPRequestHandler):
    """Handles one connection: reads one request, sends one answer, closes."""

    server: Server
    timeout = SECONDS
    server_version = "fastnet"
    sys_version = ""
    default_request_version = "HTTP/1.0"  # the default, HTTP/0.9, has no headers in its answers

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(Request(self.connection, self.timeout))

    def do_GET(self) -> None:
        if self._is_welcome():
            self._answer(HTTPStatus.OK, self.server.page, "text/html; charset=utf-8")

    do_HEAD = do_GET  # noqa: N815, the name that http.server looks for

    def _refuse_method(self) -> None:
        if self._is_welcome():
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD", Allow="GET, HEAD")

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse_method  # noqa: N815

    def _is_welcome(self) -> bool:
        """Returns whether the request may be answered; sends the refusal if not."""
        hosts = self.headers.get_all("Host", [])
        # DNS rebinding: a foreign site whose name points to this machine sends requests under that name.
        if len(hosts) != 1 or hosts[0].strip().lower() not in self.server.hosts:
            self._refuse(HTTPStatus.FORBIDDEN, f"this server is {self.server.address} and no other")
        elif "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0").strip() != "0":
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "no request here has a body")
        elif self.path != "/":
            self._refuse(HTTPStatus.NOT_FOUND, "there is one page, /")
        else:
            return True
        return False

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuses requests that http.server does not understand; its own answer would repeat parts of them."""
        status = HTTPStatus(code)
        self._refuse(status, status.description or status.phrase)

    def _refuse(self, status: HTTPStatus, why: str, **headers: str) -> None:
        self._answer(status, f"{status.value} {status.phrase}: {why}\n".encode(), "text/plain; charset=utf-8", headers)

    def _answer(self, status: HTTPStatus, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.close_connection = True  # a body that may follow is not read
        self.connection.settimeout(self.timeout)
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Content-Security-Policy": self.server.policy,
            "Cache-Control": "no-store",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing, so that the terminal stays free for the user."""


class Server(socketserver.ThreadingTCPServer):
    """Serves a page on 127.0.0.1.

    Args:
        page: the page.
        port: the port to use. If it is in use, or 0, the system chooses another one.

    Attributes:
        port: the port in use.
        address: the page's address.
        refused: the error of the requested port, or None.
    """

    allow_reuse_address = os.name == "posix"  # on other systems, two servers could then have the same port
    request_queue_size = CONNECTIONS
    daemon_threads = True
    block_on_close = False

    def __init__(self, page: str, port: int = 0) -> None:
        self.page = page.encode()
        self.policy = f"{policy(page)}; frame-ancestors 'none'"
        self.refused: OSError | None = None
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        try:
            super().__init__((ADDRESS, port), Handler)
        except OSError as error:  # the port is in use, or needs more rights
            if not port:
                raise
            self.refused = error
            super().__init__((ADDRESS, 0), Handler)
        self.port: int = self.server_address[1]
        self.address = f"http://{ADDRESS}:{self.port}/"
        names = (ADDRESS, "localhost")
        self.hosts = {f"{name}:{self.port}" for name in names} | (set(names) if self.port == 80 else set())

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts a thread for a connection, unless there are too many."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except Exception:  # no thread was started. After Ctrl-C one may run, and it releases its place itself
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores broken connections: browsers often close them early."""


def serve(page: str, port: int, started: Callable[[Server], None]) -> None:
    """Serves the page until Ctrl-C.

    Args:
        page: the page.
        port: the port, as for `Server`.
        started: function that is called with the server as soon as it listens. Browsers can connect from then on.

    Raises:
        OSError: if no port is available.
    """
    with Server(page, port) as server:
        started(server)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            print("\nEnded.")
