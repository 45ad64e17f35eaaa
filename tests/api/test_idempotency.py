"""The same request twice has one effect (reliability fault 56)."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from tests.api.conftest import OTHER, ROW, Server, Start, records

BODY = {"rows": [ROW]}


def key(text: str) -> dict[str, str]:
    return {"Idempotency-Key": text}


def test_fault_56_the_same_key_and_body_give_the_same_answer_once_logged(server: Server) -> None:
    first = server.predict(BODY, headers=key("same"))
    again = server.predict(BODY, headers=key("same"))

    assert (first.status, again.status) == (200, 200)
    assert again.body == first.body
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    id_ = first.json["predictions"][0]["id"]
    assert len([one for one in records(server.root) if one.id == id_]) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/models/churn/predict", {"rows": [OTHER]}),
        ("/models/spend/predict", BODY),
        ("/models/churn/predict?on_error=null", BODY),
        ("/models/churn/labels", BODY),
    ],
)
def test_fault_56_the_same_key_with_another_request_is_refused(server: Server, path: str, body: object) -> None:
    server.predict(BODY, headers=key("first come"))

    answer = server.ask("POST", path, body, headers=key("first come"))

    assert (answer.status, answer.json["error"]["code"]) == (422, "TM-REUSED-KEY")


def test_labels_sent_twice_are_taken_once(server: Server) -> None:
    body = {"labels": [{"id": "twice", "label": "yes"}]}

    told = [server.ask("POST", "/models/churn/labels", body, headers=key("labels")) for _ in range(3)]

    assert {one.body for one in told} == {b'{"accepted":1}'}
    kept = [row for one in records(server.root) if hasattr(one, "rows") for row in one.rows if row.id == "twice"]
    assert len(kept) == 1


def test_a_request_that_was_wrong_may_be_mended_under_its_key(server: Server) -> None:
    assert server.predict({"rows": [{}]}, headers=key("mended")).status == 422

    assert server.predict(BODY, headers=key("mended")).status == 200


@pytest.mark.parametrize("text", ["", "x" * 256])
def test_a_key_that_is_empty_or_too_long_is_refused(server: Server, text: str) -> None:
    assert server.predict(BODY, headers=key(text)).status == 400


def test_a_key_belongs_to_the_token_it_came_with(guarded: tuple[Server, dict[str, str]]) -> None:
    server, tokens = guarded

    def ask(role: str) -> str:
        headers = key("shared") | {"Authorization": f"Bearer {tokens[role]}"}
        return str(server.predict(BODY, headers=headers).json["predictions"][0]["id"])

    assert ask("predict") != ask("admin")
    assert ask("predict") == ask("predict")


def test_fault_56_of_many_at_once_one_is_worked_on(server: Server) -> None:
    found: list[tuple[int, bytes]] = []

    def ask() -> None:
        answer = server.predict({"rows": [ROW] * 4000}, headers=key("at once"))
        found.append((answer.status, answer.body))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert {status for status, _ in found} <= {200, 409}
    assert len({body for status, body in found if status == 200}) == 1


def test_fault_56_a_key_in_work_is_a_conflict_and_free_again_after_a_while(start: Start) -> None:
    server = start()
    server.predict(BODY, headers=key("slow"))
    file = server.root / ".tidemill" / "serve" / "idempotency.sqlite"

    def change(sql: str) -> None:
        with closing(sqlite3.connect(file)) as db, db:
            db.execute(sql)

    change("UPDATE answers SET status = NULL")
    assert server.predict(BODY, headers=key("slow")).status == 409
    change("UPDATE answers SET began = began - 1000")
    assert server.predict(BODY, headers=key("slow")).status == 200


def test_fault_56_after_its_time_a_key_is_new(start: Start) -> None:
    server = start(server="idempotency_hours = 1")
    first = server.predict(BODY, headers=key("old")).json
    with closing(sqlite3.connect(server.root / ".tidemill" / "serve" / "idempotency.sqlite")) as db, db:
        db.execute("UPDATE answers SET began = began - 3601")

    second = server.predict(BODY, headers=key("old")).json

    assert second["predictions"][0]["id"] != first["predictions"][0]["id"]


def test_the_answer_is_kept_across_workers_and_restarts(start: Start) -> None:
    first = start("--workers", "2")
    told = {first.predict(BODY, headers=key("kept")).body for _ in range(8)}
    first.end()
    second = start(root=first.root)

    told.add(second.predict(BODY, headers=key("kept")).body)

    assert len(told) == 1


def test_no_key_leaves_the_store_alone(start: Start) -> None:
    server = start()
    server.predict(BODY)

    assert not Path(server.root / ".tidemill" / "serve" / "idempotency.sqlite").exists()
