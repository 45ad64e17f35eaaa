"""The control database locked, damaged, away or set back, under a running server and at its start (fault 19)."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests.api.conftest import Server
from tests.faults.conftest import ROWS, Servers, Shop
from tests.faults.traffic import expected, traffic, until
from tests.faults.versions import asking_more


def says(server: Server) -> str:
    """What is wrong, in the server's words."""
    return " ".join(server.ask("GET", "/healthz").json["problems"].values())


def degraded(server: Server) -> bool:
    metrics = server.ask("GET", "/metrics").body.decode()
    return server.ask("GET", "/readyz").json == {"status": "degraded"} and "tidemill_degraded 1.0" in metrics


def start_refused(shop: Shop) -> str:
    """Start a server that cannot; what it says."""
    command = [sys.executable, "-m", "tidemill.cli.main", "serve", "--no-collect", "--port", "0"]
    ran = subprocess.run(
        [*command, "--project", str(shop.root)], check=False, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode != 0
    assert "Traceback" not in ran.stderr
    return ran.stderr


def remove(shop: Shop) -> None:
    for path in shop.file.parent.glob("control.sqlite*"):
        path.unlink()


def test_fault_19_while_the_database_is_locked_answers_go_on_and_a_bad_version_goes_all_the_same(
    shop: Shop, serve: Servers
) -> None:
    bad = asking_more(shop)
    shop.deploy(bad, share=0.5)
    answers = expected(shop, 1)
    server = serve(shop)
    with closing(sqlite3.connect(shop.file, isolation_level=None)) as locker:
        locker.execute("BEGIN IMMEDIATE")
        with traffic(server, answers) as sent:
            until(lambda: "another process has been writing to the control database" in says(server))
            assert degraded(server)
            sent.more(50)
        assert shop.now().challenger == bad
        locker.execute("ROLLBACK")
    until(lambda: shop.now().challenger is None)
    until(lambda: not says(server))

    assert sent.failed == sent.wrong == []
    assert shop.versions()[bad].state == "rolled_back"
    shop.require_whole()


def test_fault_19_a_database_that_was_deleted_is_missed_and_never_made_anew(shop: Shop, serve: Servers) -> None:
    answers = expected(shop, 1)
    server = serve(shop)
    saved = shop.file.read_bytes()
    shop.db.close()
    with traffic(server, answers) as sent:
        remove(shop)
        until(lambda: degraded(server))
        sent.more(50)
        assert "cannot be found" in says(server)
        assert not shop.file.exists()
        shop.file.write_bytes(saved)
        until(lambda: not says(server))

    assert sent.failed == sent.wrong == []


@pytest.mark.parametrize("how", ["overwritten", "replaced", "emptied"])
def test_fault_19_a_damaged_database_is_told_and_answers_go_on(shop: Shop, serve: Servers, how: str) -> None:
    answers = expected(shop, 1)
    server = serve(shop)
    with traffic(server, answers) as sent:
        shop.db.close()
        damage(shop.file, how)
        until(lambda: degraded(server))
        sent.more(50)
        assert "control" in says(server)
        put_back(shop.file)
        until(lambda: not says(server))

    assert sent.failed == sent.wrong == []


def damage(path: Path, how: str) -> None:
    """Damage the database; a copy is kept beside it."""
    shutil.copy(path, path.with_name("saved"))
    if how == "replaced":
        path.replace(path.with_name("saved"))
        path.write_bytes(b"no database" * 5000)
        return
    with path.open("r+b") as file:
        if how == "emptied":
            file.truncate(0)
        else:
            file.write(b"\xa5" * path.stat().st_size)


def put_back(path: Path) -> None:
    """The very file of before, or a copy of it."""
    for log in path.parent.glob("control.sqlite-*"):
        log.unlink()
    path.with_name("saved").replace(path)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("overwritten", "is not a database"),
        ("half overwritten", "damaged"),
        ("missing", "which this server has seen: it is an older copy"),
        ("older", "which this server has seen: it is an older copy"),
    ],
)
def test_fault_19_a_server_does_not_start_on_a_database_it_cannot_trust(
    shop: Shop, serve: Servers, how: str, words: str
) -> None:
    shop.db.backup("old")
    shop.deploy(2)
    if how in ("missing", "older"):
        assert serve(shop).end() == 0  # what it has seen is what it holds others against
    shop.db.close()
    data = shop.file.read_bytes()
    older = shop.file.with_name("control.sqlite.old").read_bytes()
    remove(shop)
    put = {"overwritten": b"\xa5" * len(data), "half overwritten": data[:4096] + b"\xa5" * (len(data) - 4096)}
    if how != "missing":
        shop.file.write_bytes(put.get(how, older))

    said = start_refused(shop)

    assert words in said, said
    assert "try: " in said

    if how != "older":
        return
    remove(shop)
    shop.file.write_bytes(data)
    assert serve(shop).predict({"rows": ROWS[:1]}, name="shop").json["version"] == 2
