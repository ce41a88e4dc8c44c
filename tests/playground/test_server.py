"""The playground's server: one page, on this machine, and every other request is refused."""

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
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


def test_headers_keep_other_sites_out(server: Server) -> None:
    for path in ("/", "/other"):
        headers = ask(server, path=path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers
        assert headers["Server"].strip() == "fastnet"


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
