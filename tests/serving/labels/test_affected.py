"""News touch windows: whatever window comes out otherwise than before is named, and old ones are left alone."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import given
from tests.serving.labels.conftest import GIVEN, ask, at, relations
from tests.serving.labels.strategies import answers, labels
from tests.serving.labels.test_joined import many, outcomes
from tests.serving.log.conftest import collector, label, prediction, write

from tidemill.serving.labels.affected import affected, affected_sql
from tidemill.serving.labels.joined import Part
from tidemill.serving.log.records import LabelRow
from tidemill.serving.log.tables import log_views
from tidemill.warehouse.duckdb.lake import open_lake
from tidemill.warehouse.protocol import Session

Rows = list[dict[str, Any]]
WIDTH = timedelta(seconds=2)


@many
@given(answers(), labels())
def test_every_window_that_changed_is_named(session: Session, given: Rows, received: Rows) -> None:
    part = Part(deployment="churn")
    before = outcomes(session, _old(given), _old(received), part)
    after = outcomes(session, given, received, part)

    sql = affected_sql("churn", since=1, width=WIDTH, of=GIVEN)
    named = {row["start"] for row in ask(session, sql, relations(given, received))}

    old, new = _by_window(before), _by_window(after)
    assert {start for start in old.keys() | new.keys() if old.get(start) != new.get(start)} <= named


def _old(rows: Rows) -> Rows:
    return [row for row in rows if row["batch"] == 1]


def _by_window(rows: Rows) -> dict[Any, Rows]:
    found: dict[Any, Rows] = {}
    for row in rows:
        found.setdefault(at(0) + (row["at"] - at(0)) // WIDTH * WIDTH, []).append(row)
    return found


def test_a_pass_takes_up_where_the_last_one_was(tmp_path: Path) -> None:
    spool = tmp_path / ".tidemill" / "spool"
    minute = timedelta(minutes=1)
    with closing(open_lake(tmp_path / ".tidemill", search_path=tmp_path, threads=1)) as lake:

        def ask_since(since: int) -> tuple[list[str], int]:
            with lake.session(system=log_views(spool)) as session:
                found = affected(session, "churn", since=since, width=minute)
            return [start.strftime("%H:%M") for start in found.windows], found.upto

        write(spool, *(prediction(60 * n) for n in range(4)))
        assert ask_since(0) == (["14:13", "14:14", "14:15", "14:16"], 0)
        collector(lake, spool).collect()
        _, upto = ask_since(0)
        assert ask_since(upto) == ([], upto)

        write(spool, label(500, LabelRow(id="r60", label="no"), LabelRow(key="k180", label="no")), worker="w1")
        assert ask_since(upto)[0] == ["14:14", "14:16"]
        collector(lake, spool).collect()
        windows, later = ask_since(upto)
        assert windows == ["14:14", "14:16"]
        assert ask_since(later) == ([], later)
