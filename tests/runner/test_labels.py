"""Labels from files, tables and queries: each once, in whatever order, and what is none is put aside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.serving.log.conftest import prediction, write

from tidemill.core.clock import Clock
from tidemill.core.errors import BindError, NotFoundError, SettingsError, TidemillError
from tidemill.project import Project, open_project
from tidemill.runner.label_columns import LabelRequest
from tidemill.runner.labels import LabelReport
from tidemill.serving.log.redact import hashed, log_key

TOML = """
[deployments.churn]
key = "customer"
{more}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project with four answers in its log, of September 2026, and no model."""
    (tmp_path / "sql").mkdir()
    (tmp_path / "tidemill.toml").write_text(TOML.format(more=""), encoding="utf-8")
    write(tmp_path / ".tidemill" / "spool", *(prediction(number) for number in range(4)))
    return tmp_path


@pytest.fixture
def project(shop: Path) -> Iterator[Project]:
    with open_project(shop) as opened:
        yield opened


def deliver(project: Project, text: str = "", **given: Any) -> LabelReport:
    """Deliver a file of that text, or what is asked for."""
    if text:
        (project.root / "labels.csv").write_text(text, encoding="utf-8")
        given |= {"input": "labels.csv"}
    return project.label(LabelRequest(deployment="churn", here=project.root, who="test", **given))


def counts(report: LabelReport) -> tuple[int, int, int]:
    return report.delivery.taken, report.delivery.known, report.delivery.refused


def rows(project: Project, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in project.sql(sql).to_arrow().to_pylist()]


OUTCOMES = "SELECT id, label, revision FROM tidemill.outcomes WHERE label IS NOT NULL ORDER BY id"


def test_a_file_is_taken_in_once_however_often_it_comes(project: Project) -> None:
    text = "prediction_id,label\nr1,left\nr2,stayed\n"
    assert counts(deliver(project, text)) == (2, 0, 0)
    assert deliver(project, text).already

    assert counts(deliver(project, "prediction_id,label\nr1,left\nr2,left\nr3,left\n")) == (2, 1, 0)
    assert deliver(project, text).already
    assert rows(project, OUTCOMES) == [("r1", "left", 1), ("r2", "left", 2), ("r3", "left", 1)]
    assert rows(project, "SELECT source, taken, known FROM tidemill.label_deliveries") == [
        ("labels.csv", 2, 0),
        ("labels.csv", 2, 1),
    ]


def test_what_is_no_label_is_put_aside_with_its_number_and_reason(project: Project) -> None:
    report = deliver(project, 'prediction_id,label\nr1,left\n,left\nr2,\nnobody,left\n" ",left\n')

    assert counts(report) == (2, 0, 3)
    assert [(row.line, row.reason.partition(" (")[0]) for row in report.refused] == [
        (2, "label 2 names no prediction"),
        (3, "label 3 has no label"),
        (5, "label 5 has an empty id"),
    ]
    assert rows(project, "SELECT line, raw FROM tidemill.rejects ORDER BY number") == [
        (2, '{"label": "left"}'),
        (3, '{"id": "r2"}'),
        (5, '{"id": " ", "label": "left"}'),
    ]
    assert rows(project, "SELECT prediction_id, reason FROM tidemill.parked_labels") == [
        ("nobody", "no prediction has this id")
    ]


def test_what_comes_true_later_than_tomorrow_is_put_aside_and_hides_nothing_that_comes_after_it(shop: Path) -> None:
    head = "customer,at,label,updated_at\n"
    soon = "k1,2026-10-06,left,2026-10-06T08:00:00\n"  # without a zone: it may be today somewhere
    late = "k2,2026-10-01,left,2027-01-01T00:00:00\nk3,2126-10-01,left,2026-10-05T08:00:00\n"
    clock = Clock(now=lambda: datetime(2026, 10, 5, 12, tzinfo=UTC))
    with open_project(shop, clock=clock) as project:
        found = deliver(project, head + soon + late, known="updated_at")
        mended = deliver(project, f"{head}{soon}k2,2026-10-01,left,2026-10-05T11:00:00\n", known="updated_at")

    assert (counts(found), counts(mended)) == ((1, 0, 2), (1, 1, 0))
    assert [row.reason for row in found.refused] == [
        f"label {number} has a {name} that lies in the future (here it is 2026-10-05 12:00 UTC: tell a label once it"
        " came true)"
        for number, name in ((2, "known_at"), (3, "time"))
    ]


@pytest.mark.parametrize("given", ["file", "query"])
def test_a_label_by_key_without_a_time_or_known_before_it_came_true_is_put_aside(project: Project, given: str) -> None:
    text = (
        "customer,at,label,updated_at\n"
        "k1,,left,2026-10-02\n"
        "k2,2026-10-01,left,2026-09-10\n"
        "k3,2026-10-01,left,2026-09-30T12:00:00\n"  # without a zone: it may have been that day somewhere
    )
    (project.root / "told.csv").write_text(text, encoding="utf-8")
    source = {"input": "told.csv"} if given == "file" else {"query": "SELECT * FROM 'told.csv'"}
    report = deliver(project, known="updated_at", **source)

    assert counts(report) == (1, 0, 2)
    assert [(row.line, row.reason) for row in report.refused] == [
        (1, "label 1 does not say when it came true (a label by customer is for the answer that was given before it)"),
        (2, "label 2 has a known_at that lies before its time (nothing is known before it came true)"),
    ]
    assert rows(project, "SELECT line FROM tidemill.rejects ORDER BY line") == [(1,), (2,)]
    assert rows(project, OUTCOMES) == [("r3", "left", 1)]


def test_a_time_that_is_none_is_put_aside_in_each_delivery_and_keeps_no_other_label_from_being_read(
    project: Project,
) -> None:
    head, bad = "customer,at,label,updated_at\n", "k2,2026-10-01,left,soon\n"
    first = deliver(project, f"{head}k1,2026-10-01,left,2026-10-02\n{bad}", known="updated_at")
    second = deliver(project, f"{head}k3,2026-10-01,left,2026-10-03\n{bad}", known="updated_at")

    assert (counts(first), counts(second)) == ((1, 0, 1), (1, 0, 1))


def test_labels_by_key_join_by_time_and_come_from_any_query(project: Project) -> None:
    report = deliver(
        project, query="SELECT 'k' || n AS customer, DATE '2026-10-01' AS at, 7.50 AS label FROM range(3) t(n)"
    )

    assert counts(report) == (3, 0, 0)
    assert rows(project, OUTCOMES) == [("r0", "7.5", 1), ("r1", "7.5", 1), ("r2", "7.5", 1)]


def test_revisions_count_in_the_order_of_their_source_and_old_rows_are_not_read_again(project: Project) -> None:
    head = "customer,at,label,updated_at\n"
    new = "k1,2026-09-25,left,2026-10-05T08:00:00\n"
    old = "k1,2026-09-25,stayed,2026-10-04T12:00:00\nk2,2026-09-25,stayed,2026-10-01T12:00:00\n"

    assert counts(deliver(project, head + new, known="updated_at")) == (1, 0, 0)
    late = deliver(project, head + old + new, known="updated_at")

    assert (late.delivery.rows, *counts(late)) == (2, 1, 1, 0)  # k2's row is older than a day before the newest
    assert rows(project, OUTCOMES) == [("r1", "left", 2)]


def test_a_delivery_that_was_never_written_down_brings_nothing_twice(project: Project) -> None:
    text = "prediction_id,label\nr1,left\nr2,stayed\n"
    deliver(project, text)
    with project.db.write() as tx:
        tx.execute("DELETE FROM label_deliveries")

    assert counts(deliver(project, text)) == (0, 2, 0)
    assert rows(project, "SELECT count(*) FROM tidemill.received_labels") == [(2,)]


def test_a_declared_table_is_read_whenever_the_log_is_collected(shop: Path) -> None:
    more = '[deployments.churn.labels]\ninput = "gone"\nlabel = "left_us"\nat = "day"'
    (shop / "tidemill.toml").write_text(TOML.format(more=more), encoding="utf-8")
    (shop / "gone.csv").write_text("customer,day,left_us\nk1,2026-10-01,left\n", encoding="utf-8")
    gone = "CREATE TABLE gone AS SELECT * FROM 'gone.csv'"
    model = "CREATE MODEL churn OPTIONS (input_label_cols = ['left_us']) AS SELECT * FROM gone"
    (shop / "sql" / "gone.sql").write_text(f"{gone};\n{model};", encoding="utf-8")
    with open_project(shop) as project:
        project.run(["gone"])
        assert project.collect().labels == 1
        assert project.collect().labels == 0
        (shop / "gone.csv").write_text("customer,day,left_us\nk1,2026-10-01,left\nk2,2026-10-01,stayed\n")
        project.run(["gone"])
        assert project.collect().labels == 1
        assert rows(project, OUTCOMES) == [("r1", "left", 1), ("r2", "stayed", 1)]


def test_trouble_with_a_declared_source_does_not_keep_the_log_from_the_lake(shop: Path) -> None:
    (shop / "tidemill.toml").write_text(TOML.format(more='[deployments.churn.labels]\ninput = "nothing"'))
    with open_project(shop) as project:
        with pytest.raises(TidemillError, match="nothing"):
            project.collect()
        assert rows(project, "SELECT count(*) FROM tidemill.predictions WHERE batch IS NOT NULL") == [(4,)]
        ((about, said),) = rows(project, "SELECT about, said FROM tidemill.troubles WHERE part = 'collector'")
        assert about == "labels of churn"
        assert "nothing" in said


def test_hashed_keys_join_and_are_not_shown(shop: Path) -> None:
    (shop / "tidemill.toml").write_text(TOML.format(more='hash_columns = ["customer"]'))
    (shop / ".tidemill" / "serve").mkdir(exist_ok=True)
    secret = log_key(shop / ".tidemill" / "serve")
    write(shop / ".tidemill" / "spool", prediction(9, keys=[hashed("k9", secret)]), worker="w1")
    with open_project(shop) as project:
        text = "customer,at,label\nk9,2026-10-01,left\nk8,2026-10-01,\n"
        assert counts(deliver(project, text)) == (1, 0, 1)
        assert rows(project, OUTCOMES) == [("r9", "left", 1)]
        assert "k8" not in str(rows(project, "SELECT * FROM tidemill.rejects"))


@pytest.mark.parametrize(
    ("text", "given", "error", "words"),
    [
        ("who,label\nr1,left\n", {}, SettingsError, "says whose labels they are; it has who, label"),
        ("prediction_id,came_true\nr1,left\n", {}, SettingsError, "is the label"),
        ("customer,label\nk1,left\n", {}, SettingsError, "need the time at which they came true"),
        ("prediction_id,label\nr1,left\n", {"label": "lable"}, BindError, "has no column lable"),
        ("", {}, SettingsError, "it is not said where the labels of churn are"),
    ],
)
def test_what_is_not_said_is_asked_for(
    project: Project, text: str, given: dict[str, str], error: type[TidemillError], words: str
) -> None:
    with pytest.raises(error, match=words):
        deliver(project, text, **given)
    assert rows(project, "SELECT count(*) FROM tidemill.received_labels") == [(0,)]


def test_a_deployment_that_is_not_there_is_named(project: Project) -> None:
    with pytest.raises(NotFoundError, match="no deployment and no model chrn"):
        project.label(LabelRequest(deployment="chrn", input="x.csv"))
