"""A server that people are slow with, that many come to at once, and that is sent more than it reads."""

import logging
import select
import socket
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from doors import House
from starlette.responses import Response
from starlette.routing import Route

from nurture.providers.base import Account
from nurture.store.database import open_store
from nurture.web.app import build
from nurture.web.guard import Limits
from nurture.web.serve import listen, serving

QUICK = Limits(patience=0.4, connections=20)
BEGUN = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
LARGE = 20_000_000
AT_LAST = 20
"""Seconds after which a test has waited long enough."""


@pytest.fixture(scope="module")
def house(migrated, tmp_path_factory):
    path = tmp_path_factory.mktemp("serving") / "nurture.db"
    path.write_bytes(migrated.read_bytes())
    store = open_store(f"sqlite:///{path}")
    built = House(store, accounts={"mailgun": Account("mailgun", hook_secrets=("key",))})
    yield built
    built.close()
    store.close()


@pytest.fixture
def at(house):
    """Opens a server with these limits before the same application; gives what connects to it."""
    with ExitStack() as stack:

        def opened(limits=QUICK, **more):
            listening = stack.enter_context(listen("127.0.0.1", 0))
            app = build(house.site, [Route("/large", lambda _: Response(bytes(LARGE)))])
            address = stack.enter_context(serving(app, listening, limits=limits, **more))
            port = listening.getsockname()[1]

            def connect(*said):
                made = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=AT_LAST))
                for piece in said:
                    made.sendall(piece)
                return made

            connect.web = stack.enter_context(httpx.Client(base_url=address, timeout=AT_LAST))
            return connect

        yield opened


def answer(made):
    """All that comes until the server closes."""
    said = b""
    try:
        while piece := made.recv(65_536):
            said += piece
    except ConnectionError:
        pass
    return said


def trickle(sockets, piece=b"x"):
    """Send a little to each again and again until all are closed; gives what each was told."""
    begun, left, told = time.monotonic(), list(sockets), dict.fromkeys(sockets, b"")
    while left:
        assert time.monotonic() - begun < AT_LAST, f"{len(left)} are still open"
        for one in select.select(left, [], [], 0.05)[0]:
            try:
                said = one.recv(65_536)
            except ConnectionError:
                said = b""
            told[one] += said
            if not said:
                left.remove(one)
        for one in list(left):
            with suppress(OSError):  # closed: what it was told is read above
                one.sendall(piece)
    return list(told.values())


@contextmanager
def no_traceback(caplog):
    with caplog.at_level(logging.INFO):
        yield
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


def post(path, *headers, length=1_000):
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {length}", *headers)
    return "\r\n".join((*lines, "", "a")).encode()


def test_who_is_slow_with_a_request_is_let_go_and_everybody_else_is_served(house, at, caplog):
    connect = at()
    token = house.program("write").headers["authorization"]
    slow = [connect(BEGUN) for _ in range(12)]
    slow += [connect(b"\r\n"), connect(post("/login")), connect(post("/signup/news")), connect(post("/hooks/mailgun"))]
    slow += [connect(post("/api/events", f"Authorization: {token}"))]
    slow += [connect(post("/login").replace(b"Content-Length: 1000", b"Transfer-Encoding: chunked")[:-1])]
    with no_traceback(caplog):
        assert connect.web.get("/healthz").status_code == 200
        told = trickle(slow)
    assert {said[:12] for said in told} <= {b"HTTP/1.1 408", b"HTTP/1.1 400", b""}
    assert any(said.startswith(b"HTTP/1.1 408") for said in told)


def test_a_large_file_over_a_slow_line_is_not_slow(at):
    connect = at(Limits(patience=0.2, pace=100))
    made = connect(post("/login", "Connection: close", length=10_001), b"x" * 9_000)
    assert select.select([made], [], [], 0.4)[0] == [], "nothing is said to it though patience is over"
    made.sendall(b"x" * 1_000)
    assert answer(made).startswith(b"HTTP/1.1 401")


def test_when_all_places_are_taken_whoever_asks_nothing_leaves_first(at):
    connect = at(Limits(connections=5))
    idle = [connect(BEGUN) for _ in range(5)]
    assert connect.web.get("/healthz").status_code == 200
    assert answer(idle[0]) == b""
    assert select.select(idle[1:], [], [], 0)[0] == []


def test_one_address_has_its_share_of_places_and_a_proxy_has_no_such_limit(at):
    few = Limits(each=3)
    connect = at(few, many=())
    assert connect.web.get("/healthz").status_code == 200
    kept = [connect(BEGUN) for _ in range(2)]
    assert answer(connect()).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    kept[0].sendall(b"\r\n\r\n")
    assert kept[0].recv(100).startswith(b"HTTP/1.1 200")
    behind = at(few, many=(), proxies=["127.0.0.0/8"])
    asked = [behind(BEGUN + b"\r\nConnection: close\r\n\r\n") for _ in range(8)]
    assert {answer(one)[:12] for one in asked} == {b"HTTP/1.1 200"}


@pytest.mark.parametrize("header", [b"X: " + b"x" * 100 + b"\r\n", b"x" * 100])
def test_a_head_without_an_end_is_cut(at, header):
    made = at()(BEGUN)
    try:
        for _ in range(2_000):
            made.sendall(header)
    except ConnectionError:
        return  # closed while we were still at it
    assert answer(made)[:12] in (b"HTTP/1.1 431", b"")


def test_a_very_large_body_is_refused_and_never_held(at):
    connect = at(Limits(most=200_000_000))
    size, piece = 150_000_000, bytes(1_000_000)
    with connect(post("/login", length=size + 1)) as made:
        before, most = _resident(), 0
        for _ in range(size // len(piece)):
            made.sendall(piece)
            most = max(most, _resident())
        assert made.recv(100).startswith(b"HTTP/1.1 413")
    assert most - before < 10_000_000
    with connect(post("/hooks/mailgun", length=size)) as made, pytest.raises(ConnectionError):
        for _ in range(size // len(piece)):
            made.sendall(piece * 2)  # more than anybody reads


def _resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096


def test_who_takes_nothing_of_the_answer_is_let_go(at):
    connect, begun = at(Limits(patience=0.3, connections=1)), time.monotonic()
    made = connect(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
    select.select([made], [], [], AT_LAST)
    said = []
    while said[-1:] != [200]:
        assert time.monotonic() - begun < AT_LAST, "the answer still waits for its reader"
        said.append(connect.web.get("/healthz", headers={"Connection": "close"}).status_code)
    assert said[0] == 503, "who is being answered keeps the place"
    assert len(answer(made)) < LARGE


def test_who_breaks_off_leaves_no_traceback(at, caplog):
    connect = at()
    with no_traceback(caplog):
        for path in ("/login", "/signup/news", "/hooks/mailgun"):
            connect(post(path)).close()
        assert connect.web.get("/healthz").status_code == 200
