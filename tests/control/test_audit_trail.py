"""The audit trail: a chain of hashes in which an edit, a gap and a cut all show."""

from __future__ import annotations

import pytest

from tidemill.core.digest import digest_value
from tidemill.warehouse.control import audit
from tidemill.warehouse.control.database import Database


@pytest.fixture
def trail(db: Database) -> Database:
    for number in range(4):
        with db.write() as tx:
            audit.append(
                tx,
                who="ann",
                action="deploy",
                object=f"deployment d{number % 2}",
                why="new data",
                evidence={"n": number},
            )
    return db


def test_a_trail_that_nobody_touched_verifies(trail: Database) -> None:
    assert audit.verify(trail) == []
    assert [row.number for row in audit.rows(trail)] == [1, 2, 3, 4]
    assert audit.rows(trail)[0].previous == audit.FIRST


def test_rows_of_one_object_are_its_own(trail: Database) -> None:
    assert [row.evidence["n"] for row in audit.rows(trail, object="deployment d1")] == [1, 3]


@pytest.mark.parametrize("column", ["at", "who", "action", "object", "why", "evidence", "previous"])
def test_a_row_edited_by_hand_is_named(trail: Database, column: str) -> None:
    with trail.write() as tx:
        tx.execute(f"UPDATE audit SET {column} = 'x' WHERE number = 2")

    assert "row 2" in " ".join(audit.verify(trail))


def test_a_row_edited_with_its_hash_made_anew_breaks_the_next_one(trail: Database) -> None:
    row = audit.rows(trail)[1]
    with trail.write() as tx:
        tx.execute("DELETE FROM audit WHERE number = 2")
        values = {name: getattr(row, name) for name in ("number", "at", "action", "object", "why", "previous")}
        forged = values | {"who": "eve", "evidence": '{"n":1}'}
        tx.execute(
            "INSERT INTO audit (number, at, who, action, object, why, evidence, previous, hash)"
            " VALUES (:number, :at, :who, :action, :object, :why, :evidence, :previous, :hash)",
            **forged,
            hash=digest_value(forged),
        )

    assert audit.verify(trail) == ["row 3 (deploy deployment d0) does not follow from the row before it"]


def test_rows_that_are_gone_are_named(trail: Database) -> None:
    with trail.write() as tx:
        tx.execute("DELETE FROM audit WHERE number IN (1, 2)")

    assert audit.verify(trail)[0] == "rows 1 to 2 are gone"


def test_a_trail_cut_at_its_end_lacks_the_head_that_was_written_down(trail: Database) -> None:
    _, head = audit.head(trail)
    with trail.write() as tx:
        tx.execute("DELETE FROM audit WHERE number = 4")

    assert audit.verify(trail) == []
    assert "cut" in audit.verify(trail, head=head)[0]
