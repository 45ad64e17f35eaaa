"""Tokens, hosts and origins: who is let in (reliability fault 57)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.api.conftest import ROW, Server, Start, control, copy, token

from tidemill.warehouse.control.tokens import revoke_token, token_digest

EVERYWHERE = "0.0.0.0"  # noqa: S104
Guarded = tuple[Server, dict[str, str]]


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer tm_wrong"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Bearer " + "x" * 20000},
        {"X-Api-Key": "tm_wrong"},
        {"Cookie": "token=tm_wrong"},
    ],
)
def test_fault_57_no_token_and_wrong_tokens_open_nothing(guarded: Guarded, headers: dict[str, str]) -> None:
    server, _ = guarded

    answer = server.predict({"rows": [ROW]}, headers=headers)

    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json["error"]["code"] == "TM-TOKEN"


def test_fault_57_a_token_in_the_address_is_no_token(guarded: Guarded) -> None:
    server, tokens = guarded

    for name in ("token", "access_token", "api_key"):
        assert server.ask("GET", f"/models?{name}={tokens['admin']}").status == 401


def test_the_digest_of_a_token_is_no_token(guarded: Guarded) -> None:
    server, tokens = guarded

    assert server.ask("GET", "/models", headers=bearer(token_digest(tokens["admin"]))).status == 401


def test_fault_57_an_expired_and_a_revoked_token_open_nothing(trained: Path, tmp_path: Path, start: Start) -> None:
    root = copy(trained, tmp_path / "project", server='auth = "always"')
    short, long = token(root, "read", name="short", days=2 / 86400), token(root, "read", name="long")
    server = start(root=root)
    assert server.ask("GET", "/models", headers=bearer(long)).status == 200

    with control(root) as db:
        revoke_token(db, "long", who="test")

    eventually(server, long)
    eventually(server, short)


def eventually(server: Server, text: str) -> None:
    """The server reads tokens anew twice a second: ask until it refuses this one."""
    import time

    until = time.monotonic() + 10
    while server.ask("GET", "/models", headers=bearer(text)).status != 401:
        assert time.monotonic() < until


def test_a_wrong_token_is_refused_also_where_none_is_asked_for(server: Server) -> None:
    assert server.ask("GET", "/models").status == 200
    assert server.ask("GET", "/models", headers=bearer("tm_wrong")).status == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "10.0.0.7"]
)
def test_s6_requests_for_another_host_are_refused_before_anything_else(server: Server, host: str) -> None:
    for method, path in (("GET", "/models"), ("POST", "/models/churn/predict"), ("GET", "/nothing")):
        answer = server.ask(method, path, {"rows": [ROW]} if method == "POST" else None, headers={"Host": host})
        assert answer.status == 403
        assert answer.json["error"]["code"] == "TM-ACCESS"


def test_hosts_that_the_settings_name_are_answered_for(start: Start) -> None:
    server = start(server='hosts = ["models.example"]')

    assert server.ask("GET", "/models", headers={"Host": "models.example:8443"}).status == 200
    assert server.ask("GET", "/models", headers={"Host": "MODELS.example"}).status == 200
    assert server.ask("GET", "/models", headers={"Host": "other.example"}).status == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_s6_pages_of_other_origins_may_send_nothing_whatever_the_method(server: Server, method: str) -> None:
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{server.port + 1}"):
        answer = server.ask(method, "/models/churn/predict", {"rows": [ROW]}, headers={"Origin": origin})
        assert answer.status == 403
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_origins_that_the_settings_name_may_send_requests(start: Start) -> None:
    server = start(server='origins = ["https://shop.example"]')

    assert server.predict({"rows": [ROW]}, headers={"Origin": "https://shop.example"}).status == 200
    assert server.predict({"rows": [ROW]}, headers={"Origin": "https://shop.example.evil"}).status == 403


@pytest.mark.parametrize("twice", ["Host", "Authorization", "Content-Type"])
def test_headers_that_decide_something_may_not_come_twice(server: Server, twice: str) -> None:
    from tests.api.wire import talk

    lines = [b"GET /models HTTP/1.1", b"Host: localhost", f"{twice}: localhost".encode()]
    if twice != "Host":
        lines.append(f"{twice}: other".encode())

    status, _, body = talk(server, b"\r\n".join([*lines, b"", b""]))

    assert status == 400
    assert b"comes twice" in body


def serve(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tidemill.cli.main", "serve", "--project", str(root), "--port", "0", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_s5_beyond_loopback_it_starts_only_with_encryption(trained: Path, tmp_path: Path) -> None:
    root = copy(trained, tmp_path / "project")

    refused = serve(root, "--host", EVERYWHERE)

    assert refused.returncode == 2
    assert "--behind-proxy" in refused.stderr
    assert "unencrypted" in refused.stderr


def test_s5_the_first_start_beyond_loopback_prints_a_token_once(trained: Path, tmp_path: Path, start: Start) -> None:
    root = copy(trained, tmp_path / "project")

    first = start("--host", EVERYWHERE, "--behind-proxy", root=root)
    (text,) = first.tokens
    assert first.ask("GET", "/models").status == 401
    assert first.ask("GET", "/healthz", headers=bearer(text)).status == 200
    assert first.ask("GET", "/models", headers=bearer(text) | {"Host": "10.1.2.3"}).status == 200
    assert first.ask("GET", "/models", headers=bearer(text) | {"Host": "evil.example"}).status == 403
    first.end()
    second = start("--host", EVERYWHERE, "--behind-proxy", root=root)

    assert second.tokens == []
    kept = [path for path in (root / ".tidemill").rglob("*") if path.is_file() and text.encode() in path.read_bytes()]
    assert kept == []


def test_tokens_of_a_mounted_file_open_what_their_roles_hold(trained: Path, tmp_path: Path, start: Start) -> None:
    root = copy(trained, tmp_path / "project", server='auth = "always"')
    mounted = tmp_path / "tokens"
    mounted.write_text(f"# name role sha256\nshop predict {token_digest('tm_shop')}\n", encoding="utf-8")

    server = start(root=root, TIDEMILL_TOKENS_FILE=str(mounted))

    assert server.predict({"rows": [ROW]}, headers=bearer("tm_shop")).status == 200
    assert server.ask("POST", "/models/churn/labels", {"labels": []}, headers=bearer("tm_shop")).status == 403


def test_the_name_of_a_token_is_kept_with_the_prediction(guarded: Guarded) -> None:
    from tests.api.conftest import records

    server, tokens = guarded
    answer = server.predict({"rows": [ROW]}, headers=bearer(tokens["predict"])).json

    (kept,) = [one for one in records(server.root) if one.id == answer["predictions"][0]["id"]]

    assert kept.principal == "predict-token"
