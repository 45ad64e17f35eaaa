"""Messages on their way: sent once, tried again, given up, and never holding anything up."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import struct
import threading
from email import message_from_string
from email.message import Message
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from tests.monitoring.conftest import Hands, Post, Web, answer

from tidemill.core.alerting import SINK_KINDS, SinkSettings, sink_settings
from tidemill.monitoring.deliver import PAUSES_S, Passed, deliver
from tidemill.monitoring.sinks.table import SENDERS
from tidemill.warehouse.control.connection import to_json
from tidemill.warehouse.control.database import Database
from tidemill.warehouse.control.deliveries import LONGEST_QUEUE, add_deliveries, claim, sink_states

SINCE = "2026-03-01T00:00:00+00:00"
TOLD: dict[str, Any] = {
    "alert": 3,
    "deployment": "churn",
    "happening": "opened",
    "severity": "page",
    "cause": "missing",
    "headline": "churn: the share of missing values changed in <income>",
    "since": SINCE,
    "opened_at": SINCE,
    "resolved_at": None,
    "at": SINCE,
    "reason": "",
    "evidence": [
        {"subject": "income", "slice": "", "test": "share", "value": 0.4, "low": 0.35, "high": 0.45, "limit": 0.05,
         "p_value": 1e-9, "rows": 1000, "reference": "training", "reference_rows": 100000, "note": ""}
    ],
    "explained": [],
    "next_step": "ask whoever fills the column",
    "owner": "the <income> team",
    "runbook": "https://wiki.example.org/churn?a=1&b=2",
    "look": "tidemill alerts show 3",
    "chart": {
        "title": "share of income",
        "limit": 0.05,
        "since": SINCE,
        "windows": [
            {"end": "2026-03-01T00:00:00+00:00", "value": 0.01},
            {"end": "2026-03-02T00:00:00+00:00", "value": 0.4},
        ],
    },
}  # fmt: skip


def sinks(**given: Any) -> dict[str, SinkSettings]:
    return sink_settings(given, lambda _: None)


def put(db: Database, hands: Hands, *names: str, number: int = 0) -> None:
    with db.write() as tx:
        add_deliveries(
            tx, alert=None, happening="opened", message=to_json(TOLD), now=hands.now,
            sinks={name: f"{name}-{number:04}" for name in names},
        )  # fmt: skip


def passing(
    db: Database, hands: Hands, known: dict[str, SinkSettings], root: Path, *, deadline_s: float = 120, **variables: str
) -> Passed:
    return deliver(db, known, root=root, environment=variables, clock=hands.clock(), deadline_s=deadline_s)


def test_there_is_a_sender_for_each_kind_of_sink() -> None:
    assert set(SENDERS) == {kind.name for kind in SINK_KINDS}


def test_a_log_gets_one_line_a_message_in_their_order(db: Database, hands: Hands, tmp_path: Path) -> None:
    known = sinks(file={"kind": "log", "file": "logs/alerts.jsonl"})
    for number in range(3):
        put(db, hands, "file", number=number)

    passed = passing(db, hands, known, tmp_path)

    lines = (tmp_path / "logs" / "alerts.jsonl").read_text().splitlines()
    assert passed.sent == {"file": 3}
    assert [json.loads(line)["id"] for line in lines] == ["file-0000", "file-0001", "file-0002"]
    assert passing(db, hands, known, tmp_path).sent == {}


def test_a_webhook_is_signed_as_standard_webhooks_say(db: Database, hands: Hands, tmp_path: Path, web: Web) -> None:
    known = sinks(ops={"kind": "webhook", "url": web.url, "secret": "${HOOK}"})
    put(db, hands, "ops")

    passing(db, hands, known, tmp_path, HOOK="whsec_" + base64.b64encode(b"a key").decode())

    (headers, body), *_ = web.seen
    signed = f"ops-0000.{int(hands.now.timestamp())}.".encode() + body
    digest = base64.b64encode(hmac.new(b"a key", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    assert (headers["webhook-id"], headers["Idempotency-Key"]) == ("ops-0000", "ops-0000")
    assert json.loads(body)["data"]["headline"] == TOLD["headline"]


def test_slack_is_told_in_its_own_markup_with_names_escaped(
    db: Database, hands: Hands, tmp_path: Path, web: Web
) -> None:
    (tmp_path / "hook").write_text(web.url)
    (tmp_path / "hook").chmod(0o600)
    put(db, hands, "team")

    passing(db, hands, sinks(team={"kind": "slack", "url_file": "hook"}), tmp_path)

    said = json.loads(web.seen[0][1])
    assert said["text"].startswith("[opened] churn: the share of missing values changed in &lt;income&gt;")
    assert "income: share 0.4 (0.35 to 0.45) beyond 0.05" in said["blocks"][0]["text"]["text"]
    assert (
        "owner: the &lt;income&gt; team\nrunbook: https://wiki.example.org/churn?a=1&amp;b=2\n"
        in (said["blocks"][0]["text"]["text"])
    )


def test_mail_goes_encrypted_after_a_login_with_text_html_and_chart(
    db: Database, hands: Hands, tmp_path: Path, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(post.certificate))
    mail = {"kind": "email", "host": "localhost", "port": post.port, "sender": "Tidemill <mill@example.org>",
            "to": ["ada@example.org", "ben@example.org"], "user": "mill", "password": "${MAIL}"}  # fmt: skip
    put(db, hands, "mail")

    passed = passing(db, hands, sinks(mail=mail), tmp_path, MAIL="open sesame")

    ((sender, to, text),) = post.mails
    assert passed.sent == {"mail": 1}
    assert "mill@example.org" in sender
    assert len(to) == 2
    assert base64.b64decode(post.logins[0].split()[-1]) == b"\0mill\0open sesame"
    assert "Subject: [opened] churn: the share of missing values changed in <income>" in text
    assert "Message-ID: <mail-0000@example.org>" in text
    assert "&lt;income&gt;" in text
    assert 'filename="alert-3.svg"' in text
    parts = {part.get_content_type(): content(part) for part in parsed(text).walk() if not part.is_multipart()}
    address = "https://wiki.example.org/churn?a=1&amp;b=2"
    assert "owner: the <income> team\nrunbook: https://wiki.example.org/churn?a=1&b=2\n" in parts["text/plain"]
    assert f'owner: the &lt;income&gt; team\nrunbook: <a href="{address}">{address}</a>' in parts["text/html"]
    assert f'owner: the &lt;income&gt; team</tspan><tspan> · </tspan><a href="{address}">' in parts["image/svg+xml"]


def test_a_message_that_waited_through_an_upgrade_is_sent_without_an_owner(
    db: Database, hands: Hands, tmp_path: Path, web: Web
) -> None:
    old = {name: value for name, value in TOLD.items() if name not in ("owner", "runbook")}
    with db.write() as tx:
        add_deliveries(tx, alert=None, happening="opened", message=to_json(old), now=hands.now, sinks={"team": "a"})

    passed = passing(db, hands, sinks(team={"kind": "slack", "url": web.url}), tmp_path)

    assert passed.sent == {"team": 1}
    assert b"owner" not in web.seen[0][1]


@pytest.mark.parametrize("wrong", ["no tls", "unknown certificate", "recipient refused", "nobody there"])
def test_mail_that_cannot_go_waits_with_the_reason(
    wrong: str, db: Database, hands: Hands, tmp_path: Path, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.offers_tls = wrong != "no tls"
    post.refuses = b"450 try later" if wrong == "recipient refused" else b""
    if wrong == "recipient refused":
        monkeypatch.setenv("SSL_CERT_FILE", str(post.certificate))
    mail = {"kind": "email", "host": "localhost", "port": post.port, "sender": "a@example.org", "to": ["b@example.org"]}
    if wrong == "nobody there":
        mail["port"] = free_port()
    put(db, hands, "mail")

    passed = passing(db, hands, sinks(mail=mail), tmp_path)

    expected = {"no tls": "does not offer STARTTLS", "unknown certificate": "certificate", "nobody there": "refused",
                "recipient refused": "450 try later"}  # fmt: skip
    assert expected[wrong] in passed.failed["mail"]
    assert post.mails == []
    assert (sink_states(db)[0].waiting, sink_states(db)[0].given_up) == (1, 0)


def parsed(text: str) -> Message:
    """A mail as its reader's program takes it apart."""
    return message_from_string(text.replace("\r\n", "\n"))


def content(part: Message) -> str:
    found = part.get_payload(decode=True)
    assert isinstance(found, bytes)
    return found.decode()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_a_failure_is_tried_again_later_under_the_same_id_and_in_order(
    db: Database, hands: Hands, tmp_path: Path, web: Web
) -> None:
    known = sinks(ops={"kind": "webhook", "url": web.url})
    web.behave = answer(503)
    put(db, hands, "ops", number=1)
    hands.move(1)
    put(db, hands, "ops", number=2)

    assert passing(db, hands, known, tmp_path).failed == {"ops": "it answered 503"}
    assert passing(db, hands, known, tmp_path) == Passed()
    state = sink_states(db)[0]
    assert (state.waiting, state.error) == (2, "it answered 503")
    assert state.failing_since is not None

    web.behave = answer(200)
    hands.move(PAUSES_S[0])
    assert passing(db, hands, known, tmp_path).sent == {"ops": 2}
    assert [headers["webhook-id"] for headers, _ in web.seen] == ["ops-0001", "ops-0001", "ops-0002"]
    assert sink_states(db)[0].failing_since is None


def test_tries_have_an_end(db: Database, hands: Hands, tmp_path: Path, web: Web) -> None:
    web.behave = answer(500)
    known = sinks(ops={"kind": "webhook", "url": web.url})
    put(db, hands, "ops")
    for pause in (*PAUSES_S, 0, 0, 0):
        passing(db, hands, known, tmp_path)
        hands.move(pause)

    assert len(web.seen) == len(PAUSES_S) + 1
    assert (sink_states(db)[0].waiting, sink_states(db)[0].given_up) == (0, 1)


def test_a_redirect_into_a_private_network_is_not_followed(
    db: Database, hands: Hands, tmp_path: Path, web: Web
) -> None:
    web.behave = answer(307, Location="http://169.254.169.254/latest/meta-data")
    put(db, hands, "ops")

    passed = passing(db, hands, sinks(ops={"kind": "webhook", "url": web.url}), tmp_path)

    assert "307, a redirect, which is not followed" in passed.failed["ops"]
    assert passed.refused == {"ops"}
    assert len(web.seen) == 1
    assert sink_states(db)[0].given_up == 1


def hang(handler: BaseHTTPRequestHandler, web: Web) -> None:
    web.over.wait(60)
    handler.close_connection = True


def drip(handler: BaseHTTPRequestHandler, web: Web) -> None:
    while not web.over.wait(0.05):
        handler.wfile.write(b"x")
        handler.wfile.flush()


def reset(handler: BaseHTTPRequestHandler, _: Web) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def nonsense(handler: BaseHTTPRequestHandler, _: Web) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH\r\n")
    handler.close_connection = True


@pytest.mark.parametrize("behave", [hang, drip, reset, nonsense])
def test_a_server_that_misbehaves_fails_by_itself_and_holds_nothing_up(
    behave: Any, db: Database, hands: Hands, tmp_path: Path, web: Web
) -> None:
    web.behave = lambda handler: behave(handler, web)
    slow = behave in (hang, drip)
    patience = 0.5 if slow else 60.0
    known = sinks(bad={"kind": "webhook", "url": web.url, "timeout_seconds": patience}, file={"kind": "log"})
    put(db, hands, "bad", "file")

    passed = passing(db, hands, known, tmp_path)

    assert passed.sent == {"file": 1}
    assert set(passed.failed) == {"bad"}
    assert (passed.failed["bad"] == "it did not answer in time") == slow
    assert sink_states(db)[0].waiting == 1


def test_a_pass_is_over_at_its_deadline_and_what_hangs_keeps_its_claim(
    db: Database, hands: Hands, tmp_path: Path, web: Web
) -> None:
    arrived = threading.Event()

    def behave(handler: BaseHTTPRequestHandler) -> None:
        arrived.set()
        hang(handler, web)

    web.behave = behave
    put(db, hands, "bad")
    known = sinks(bad={"kind": "webhook", "url": web.url, "timeout_seconds": 30})

    passed = passing(db, hands, known, tmp_path, deadline_s=0.5)

    assert arrived.wait(10)
    assert passed.sent == {}
    assert passed.late == ("bad",) or "bad" in passed.failed
    assert claim(db, "bad", now=hands.now, until=hands.now) is None
    web.over.set()


def test_secrets_that_are_missing_or_open_to_others_are_said_and_not_shown(
    db: Database, hands: Hands, tmp_path: Path, web: Web
) -> None:
    (tmp_path / "hook").write_text(f"{web.url}&token=s3cret")
    (tmp_path / "hook").chmod(0o644)
    known = sinks(
        open={"kind": "slack", "url_file": "hook"}, unset={"kind": "webhook", "url": web.url, "secret": "${NONE}"}
    )
    put(db, hands, "open", "unset")

    passed = passing(db, hands, known, tmp_path)

    assert "can be read by others" in passed.failed["open"]
    assert "there is no such variable" in passed.failed["unset"]
    assert "s3cret" not in str(passed)
    assert web.seen == []


def test_the_queue_is_bounded_and_the_oldest_make_room(db: Database, hands: Hands) -> None:
    with db.write() as tx:
        for number in range(LONGEST_QUEUE + 3):
            add_deliveries(
                tx, alert=None, happening="opened", message="{}", now=hands.now, sinks={"ops": f"{number:05}"}
            )

    (state,) = sink_states(db)
    assert (state.waiting, state.given_up) == (LONGEST_QUEUE, 3)
    first = claim(db, "ops", now=hands.now, until=hands.now)
    assert first is not None
    assert first.id == "00003"


def test_messages_of_a_sink_that_is_gone_from_the_settings_are_given_up(
    db: Database, hands: Hands, tmp_path: Path
) -> None:
    put(db, hands, "gone")

    passing(db, hands, {}, tmp_path)

    assert (sink_states(db)[0].given_up, sink_states(db)[0].waiting) == (1, 0)
