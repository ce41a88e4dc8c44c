"""The playground's server: one page, on this machine, and every other request is refused."""

import contextlib
import email
import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fastnet.playground import server as module
from fastnet.playground.server import CONNECTIONS, Server

PAGE = "<!doctype html><style>p { color: red }</style><script>1 + 1</script><p>ü"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(module.Handler, "timeout", 1)
    with Server(PAGE) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(
    server: Server, method: str = "GET", path: str = "/", host: str | None = None, **headers: str
) -> http.client.HTTPResponse:
    """The answer to a request without a body, whatever its headers say."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        if host != "":
            connection.putheader("Host", host or f"127.0.0.1:{server.port}")
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        answer.body = answer.read()  # type: ignore[attr-defined]
        return answer
    finally:
        connection.close()


def raw(server: Server, request: bytes) -> bytes:
    """What comes back for these bytes until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        received = b""
        with contextlib.suppress(ConnectionError):  # it may close on what it did not read
            connection.sendall(request)
            while part := connection.recv(4096):
                received += part
    return received


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LocalHost"])
def test_the_page_is_served_to_this_machine(server: Server, name: str) -> None:
    answer = ask(server, host=f"{name}:{server.port}")
    assert (answer.status, answer.body.decode()) == (200, PAGE)  # type: ignore[attr-defined]
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Length"] == str(len(PAGE.encode()))


def test_head_has_no_body(server: Server) -> None:
    answer = ask(server, "HEAD")
    assert (answer.status, answer.headers["Content-Length"]) == (200, str(len(PAGE.encode())))
    assert raw(server, f"HEAD / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()).endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_in_another_name_is_refused(server: Server, host: str, method: str) -> None:
    answer = ask(server, method, host=host.format(port=server.port))
    assert answer.status == 403
    assert b"<" not in answer.body  # type: ignore[attr-defined]


def test_two_names_are_refused(server: Server) -> None:
    name = f"Host: 127.0.0.1:{server.port}\r\n"
    assert raw(server, f"GET / HTTP/1.1\r\n{name}{name}\r\n".encode()).startswith(b"HTTP/1.0 403 ")


@pytest.mark.parametrize(
    "path", ["/index.html", "/favicon.ico", "/?x=1", "/../page.html", "/%2e%2e/", "http://evil.example/", "*"]
)
def test_there_is_no_other_path(server: Server, path: str) -> None:
    assert ask(server, path=path).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(server: Server, method: str) -> None:
    answer = ask(server, method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Length": "1"},
        {"Content_Length": str(10**15)},
        {"Content_Length": "-1"},
        {"Content_Length": "many"},
        {"Transfer_Encoding": "chunked"},
    ],
)
def test_a_body_is_refused_unread(server: Server, method: str, headers: dict[str, str]) -> None:
    assert ask(server, method, **headers).status == 413


def test_a_large_body_a_long_path_and_many_headers_do_no_harm(server: Server) -> None:
    host = f"Host: 127.0.0.1:{server.port}\r\n"
    raw(server, f"POST / HTTP/1.1\r\n{host}Content-Length: 4000000\r\n\r\n".encode() + bytes(4000000))
    for request in (
        b"GET /" + b"a" * 70000,
        b"GET / HTTP/1.1\r\nX: " + b"a" * 70000,
        b"GET / HTTP/1.1" + 200 * b"\r\nX: 1",
    ):
        assert b"200" not in raw(server, request + b"\r\n\r\n").split(b"\r\n")[0]
    assert b" 501 " in raw(server, f"BREW / HTTP/1.1\r\n{host}\r\n".encode())
    assert ask(server).status == 200


def test_a_second_request_in_one_connection_is_not_answered(server: Server) -> None:
    request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: keep-alive\r\n\r\n".encode()
    assert raw(server, 2 * request).count(b"HTTP/1.0 ") == 1


def request(*lines: str) -> Callable[[int], bytes]:
    """A request to the server at a port."""
    return lambda port: "\r\n".join((*lines, "", "")).format(host=f"Host: 127.0.0.1:{port}").encode("latin-1")


REQUESTS: dict[int, list[Callable[[int], bytes]]] = {
    200: [request("GET / HTTP/1.1", "{host}"), request("HEAD / HTTP/1.0", "{host}"), request("GET /", "{host}")],
    400: [
        request("<script>"),
        request("GET"),
        request("POST /"),
        request("GET / HTTP/x"),
        request("GET / HTTP/1.1 <b>", "{host}"),
    ],
    403: [request("GET / HTTP/1.1"), request("GET / HTTP/1.1", "Host: evil"), request("GET /")],
    404: [request("GET /other HTTP/1.1", "{host}"), request("HEAD /other HTTP/1.1", "{host}")],
    405: [request("POST / HTTP/1.1", "{host}", "Content-Length: 0")],
    413: [request("GET / HTTP/1.1", "{host}", "Content-Length: 1000000000000")],
    414: [request(f"GET /{'a' * 70000} HTTP/1.1")],
    431: [
        request("GET / HTTP/1.1", "{host}", *["X: 1"] * 200),
        request("GET / HTTP/1.1", "{host}", f"X: {'a' * 70000}"),
    ],
    501: [request("BREW / HTTP/1.1", "{host}"), request("TRACE / HTTP/1.1", "{host}"), request("get / HTTP/1.1")],
    505: [request("GET / HTTP/9.9", "{host}")],
}


@pytest.mark.parametrize(
    ("status", "made"), [(status, made) for status, requests in REQUESTS.items() for made in requests]
)
def test_headers_keep_other_sites_out_on_every_answer(
    server: Server, status: int, made: Callable[[int], bytes]
) -> None:
    head, _, body = raw(server, made(server.port)).partition(b"\r\n\r\n")
    line, _, rest = head.partition(b"\r\n")
    assert line.startswith(f"HTTP/1.0 {status} ".encode())
    headers = email.message_from_bytes(rest)
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Server"].strip() == "fastnet"
    assert headers["Cache-Control"] == "no-store"
    kind = "text/html" if status == 200 else "text/plain"
    assert headers["Content-Type"] == f"{kind}; charset=utf-8"
    assert len(body) == (0 if made(1).startswith(b"HEAD") else int(headers["Content-Length"]))
    assert status == 200 or b"<" not in body


def test_silent_and_many_connections_do_not_stop_it(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(2 * CONNECTIONS):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20))
        for _ in range(200):  # the silent ones are given up after a second
            try:
                assert ask(server).status == 200
                break
            except (ConnectionError, http.client.HTTPException):
                threading.Event().wait(0.05)
        else:
            pytest.fail("no answer beside silent connections")
        assert threading.active_count() < CONNECTIONS + 20


DRIPS = {
    "request line": b"GET /" + 1000 * b"a",
    "one header": b"GET / HTTP/1.1\r\nX: " + 1000 * b"a",
    "many headers": b"GET / HTTP/1.1" + 400 * b"\r\nX:",
}


@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS)
def test_connections_that_drip_do_not_stop_it(server: Server, drip: bytes) -> None:
    ended = threading.Event()

    def send() -> None:
        """Never silent for as long as the server's patience lasts; with as many connections as there may be."""
        with contextlib.ExitStack() as stack:
            connections = [
                stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20))
                for _ in range(CONNECTIONS)
            ]
            for i in range(len(drip)):
                for connection in connections:
                    with contextlib.suppress(OSError):  # the server has hung up
                        connection.send(drip[i : i + 1])
                started.set()
                if ended.wait(0.1):
                    return

    started = threading.Event()
    thread = threading.Thread(target=send)
    thread.start()
    try:
        assert started.wait(20)
        for _ in range(200):
            try:
                assert ask(server).status == 200
                break
            except (ConnectionError, http.client.HTTPException):
                ended.wait(0.05)
        else:
            pytest.fail("no answer beside connections that drip")
    finally:
        ended.set()
        thread.join()


def test_a_request_in_pieces_is_answered(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        for byte in f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode():
            connection.send(bytes([byte]))
        assert connection.recv(4096).startswith(b"HTTP/1.0 200 ")


def test_who_does_not_take_the_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.Handler, "timeout", 0.5)
    with Server(PAGE + "x" * 2**25) as server, contextlib.ExitStack() as stack:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        for _ in range(CONNECTIONS):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20))
            connection.sendall(request("GET / HTTP/1.1", "{host}")(server.port))
        for _ in range(200):
            with contextlib.suppress(ConnectionError, http.client.HTTPException):
                if ask(server, "HEAD").status == 200:
                    break
            threading.Event().wait(0.05)
        else:
            pytest.fail("no answer beside connections that take none")
        server.shutdown()
        thread.join()


def test_it_listens_on_the_loopback_address_alone(server: Server) -> None:
    assert server.socket.getsockname() == ("127.0.0.1", server.port)
    assert server.address == f"http://127.0.0.1:{server.port}/"


def test_a_port_in_use_is_left_to_its_owner(server: Server) -> None:
    with Server(PAGE, server.port) as second:
        assert second.port not in (0, server.port)
        assert isinstance(second.refused, OSError)
        assert second.hosts == {f"127.0.0.1:{second.port}", f"localhost:{second.port}"}
    assert server.refused is None
    assert ask(server).status == 200


def test_the_port_asked_for_is_taken() -> None:
    with Server(PAGE) as first:
        port = first.port
    with Server(PAGE, port) as second:
        assert (second.port, second.refused) == (port, None)


def test_port_80_may_be_left_out_of_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def bind(self: Any) -> None:
        self.socket.bind(("127.0.0.1", 0))
        self.server_address = ("127.0.0.1", 80)

    monkeypatch.setattr(Server, "server_bind", bind)
    with Server(PAGE, 80) as server:
        assert server.hosts == {"127.0.0.1", "localhost", "127.0.0.1:80", "localhost:80"}


def test_ctrl_c_while_a_connection_is_taken_up_ends_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        thread.join(20)
        raise KeyboardInterrupt

    with Server("page") as server, socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        monkeypatch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            server.handle_request()
