"""Requests that are too large, too deep, too slow, or no HTTP at all (reliability fault 52, security row S9)."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from tests.api.conftest import ROW, Server, Start
from tests.api.wire import connected, error_code, post, read_all, read_answer, talk

PREDICT = "/models/churn/predict"
BODY = json.dumps({"rows": [ROW]}).encode()


def memory_kb(server: Server) -> int:
    """The most memory that a worker ever had."""
    status = Path(f"/proc/{server.pids[0]}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def works(server: Server) -> bool:
    return server.predict({"rows": [ROW]}).status == 200


def test_fault_52_a_body_of_a_gigabyte_is_refused_by_its_length(server: Server) -> None:
    status, _, body = talk(server, post(PREDICT, b"{", length=1 << 30))

    assert (status, error_code(body)) == (413, "TM-TOO-LARGE")
    assert works(server)


def test_fault_52_a_body_without_a_length_is_cut_off_at_the_bound(server: Server) -> None:
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n".encode()
    before = memory_kb(server)

    status, _, body = talk(server, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 300 + b"0\r\n\r\n")

    assert (status, error_code(body)) == (413, "TM-TOO-LARGE")
    assert memory_kb(server) - before < 100_000
    assert works(server)


@pytest.mark.parametrize(
    "path", [PREDICT, "/models/churn/labels", "/v2/models/churn/infer", "/invocations?model=churn"]
)
@pytest.mark.parametrize("opening", ["[", '{"a":', '{"rows":[', '{"labels":['])
def test_fault_52_a_million_brackets_are_a_bad_request(server: Server, path: str, opening: str) -> None:
    answer = server.ask("POST", path, raw=opening.encode() * 1_000_000)

    assert answer.status in (400, 422)
    assert works(server)


def test_fault_52_packed_bodies_are_refused_before_they_are_unpacked(server: Server) -> None:
    bomb = gzip.compress(b" " * 50_000_000)

    answer = server.predict(None, raw=bomb, headers={"Content-Encoding": "gzip"})

    assert answer.status == 415
    assert answer.json["error"]["code"] == "TM-MEDIA-TYPE"


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_bodies_of_another_type_are_refused(server: Server, kind: str) -> None:
    for path in (PREDICT, "/models/churn/labels", "/invocations?model=churn"):
        assert server.ask("POST", path, {"rows": [ROW]}, headers={"Content-Type": kind}).status == 415


def test_json_with_a_charset_is_json(server: Server) -> None:
    assert server.predict({"rows": [ROW]}, headers={"Content-Type": "application/json; charset=utf-8"}).status == 200


def test_fault_52_of_a_key_that_comes_twice_the_last_counts(server: Server) -> None:
    twice = b'{"rows":[{"age":1,"age":41,"income":52.5,"region":"north","since":"2021-03-04"}]}'

    first = server.predict(None, raw=twice).json["predictions"][0]["probabilities"]

    assert first == server.predict({"rows": [ROW]}).json["predictions"][0]["probabilities"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"rows":[]}',
        b'{"rows":{}}',
        b'{"rows":[1]}',
        b'{"columns":{}}',
        b'{"rows":[{}],"columns":{}}',
        b'{"rows":[{"age":NaN,"income":1,"region":"a","since":null}]}',
        b'{"rows":[{"age":1,"income":Infinity,"region":"a","since":null}]}',
        b'{"rows":[{"age":1,"income":1,"region":"\\ud800","since":null}]}',
        b'{"rows":[{"age":1,"income":1,"region":"\xff\xfe","since":null}]}',
        b'{"rows":[{"age":1e400,"income":1,"region":"a","since":null}]}',
        b'{"rows":[{"age":1,"income":1,"region":"a","since":"2021-13-40"}]}',
        b'{"columns":{"age":[1,2],"income":[1],"region":["a"],"since":[null]}}',
        b"\x00\x01\x02",
    ],
)
def test_bodies_that_are_no_rows_are_refused_and_say_why(server: Server, raw: bytes) -> None:
    answer = server.predict(None, raw=raw)

    assert answer.status in (400, 422)
    error = answer.json["error"]
    assert error["code"].startswith("TM-DATA")
    assert error["message"]


def test_more_rows_than_the_bound_are_refused(start: Start) -> None:
    server = start(server="max_rows = 3")

    assert server.predict({"rows": [ROW] * 3}).status == 200
    assert server.predict({"rows": [ROW] * 4}).status == 413
    assert server.predict({"columns": {name: [value] * 4 for name, value in ROW.items()}}).status == 413
    assert server.ask("POST", "/models/churn/labels", {"labels": [{"id": "a", "label": "yes"}] * 4}).status == 413


def test_fault_52_ten_thousand_headers_are_too_many(server: Server) -> None:
    many = b"".join(b"X-%d: a\r\n" % i for i in range(10_000))

    status, _, body = talk(server, b"GET /models HTTP/1.1\r\nHost: localhost\r\n" + many + b"\r\n")

    assert (status, error_code(body)) == (431, "TM-TOO-LARGE")
    assert works(server)


def test_fault_52_a_header_that_never_ends_is_cut_off(server: Server) -> None:
    status, _, body = talk(server, b"GET /models HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 200_000)

    assert (status, error_code(body)) == (431, "TM-TOO-LARGE")


def test_an_address_that_never_ends_is_cut_off(server: Server) -> None:
    status, _, _ = talk(server, b"GET /" + b"a" * 200_000)

    assert status == 431


def test_fault_52_slow_heads_and_slow_bodies_are_not_waited_for(start: Start) -> None:
    server = start(server="deadline_ms = 500")

    with connected(server) as head, connected(server) as body, connected(server) as silent:
        head.sendall(b"GET /models HTTP/1.1\r\nHost: loc")
        body.sendall(post(PREDICT, BODY[:10], length=len(BODY)))
        assert read_answer(head)[0] == 408
        status, _, told = read_answer(body)
        assert (status, error_code(told)) == (408, "TM-REQUEST")
        assert read_all(silent) == b""
    assert works(server)


def test_fault_52_what_stands_behind_a_body_is_no_part_of_it(start: Start) -> None:
    server = start(server="deadline_ms = 500")
    with connected(server) as connection:
        connection.sendall(post(PREDICT, BODY + b"GET garbage", length=len(BODY)))
        assert read_answer(connection)[0] == 200
        assert read_answer(connection)[0] == 408


SMUGGLED = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5, 6",
        b"Content-Length: +5",
        b"Content-Length: -1",
        b"Content-Length: 0x5",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding : chunked",
        b"Content-Length: 5\r\n Transfer-Encoding: chunked",
    ],
)
def test_fault_52_heads_that_two_parsers_would_read_differently_are_refused(server: Server, head: bytes) -> None:
    start = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n".encode()
    with connected(server, timeout=20) as connection:
        connection.sendall(start + head + b"\r\n\r\n0\r\n\r\n" + SMUGGLED)
        told = read_answer(connection)
        assert told[0] in (400, 413)
        assert b'"live"' not in told[2]
        assert b"200 OK" not in read_all(connection)


@pytest.mark.parametrize("chunk", [b"zz\r\n", b"-1\r\n", b"ffffffffffffffffff\r\n", b"5;" + b"a" * 10 + b"\n12345\r\n"])
def test_fault_52_chunks_with_tricks_are_refused(server: Server, chunk: bytes) -> None:
    start = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n".encode()

    status, _, _ = talk(server, start + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)

    assert status == 400
    assert works(server)


def test_trailers_are_no_headers(guarded: tuple[Server, dict[str, str]]) -> None:
    server, tokens = guarded
    start = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n".encode()
    trailer = f"Authorization: Bearer {tokens['admin']}\r\n".encode()
    chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n%s\r\n" % (len(BODY), BODY, trailer)

    status, _, _ = talk(server, start + chunked)

    assert status == 401


def test_chunked_bodies_and_pipelined_requests_are_answered_in_order(server: Server) -> None:
    start = f"POST {PREDICT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n".encode()
    half = len(BODY) // 2
    chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (
        half, BODY[:half], len(BODY) - half, BODY[half:])  # fmt: skip
    last = b"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    with connected(server) as connection:
        connection.sendall(start + chunked + post(PREDICT, BODY) + SMUGGLED + last)
        told = read_all(connection)

    assert told.count(b"HTTP/1.1 200 OK") == 4
    order = [told.index(part) for part in (b'"predictions"', b'"live"', b"text/plain")]
    assert order == sorted(order)


def test_a_client_that_asks_first_is_told_to_go_on(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(post(PREDICT, b"", b"Expect: 100-continue", length=len(BODY)))
        assert connection.recv(1024).startswith(b"HTTP/1.1 100 ")
        connection.sendall(BODY)
        assert read_answer(connection)[0] == 200


def test_http_1_0_is_answered_and_the_connection_closed(server: Server) -> None:
    raw = post(PREDICT, BODY).replace(b"HTTP/1.1", b"HTTP/1.0", 1)

    with connected(server) as connection:
        connection.sendall(raw)
        told = read_all(connection)

    assert told.startswith(b"HTTP/1.1 200 OK")
    assert b"connection: close" in told


def test_what_is_no_http_gets_the_form_of_every_other_error(server: Server) -> None:
    for raw in (
        b"\x16\x03\x01\x02\x00",
        b"GET\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ):
        status, _, body = talk(server, raw)
        assert status == 400
        assert error_code(body) == "TM-REQUEST"


def test_a_large_body_is_answered_while_small_ones_go_on(server: Server) -> None:
    rows = [ROW | {"age": i % 80} for i in range(8000)]

    answer = server.predict({"rows": rows})

    assert answer.status == 200
    told = answer.json["predictions"]
    assert len(told) == 8000
    assert told[80]["probabilities"] == told[0]["probabilities"]
    assert len({one["id"] for one in told}) == 8000
