from __future__ import annotations

import io
import sys
from dataclasses import replace

import pytest

from tidemill.cli.progress import Bars, describe_step, follow, share_line, summary
from tidemill.cli.words import duration, paint, wants_colour
from tidemill.core.errors import ContractError
from tidemill.runner.events import RunFinished, RunStarted, StepFinished, StepProgress, StepStarted
from tidemill.runner.report import RunReport, StepReport


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


DONE = StepReport(
    asset="churn",
    kind="model",
    action="train",
    status="done",
    reason="new",
    seconds=1.25,
    version=2,
    metrics={"roc_auc": 0.85123, "recall": 0.5},
)


def test_a_trained_model_is_told_with_its_first_metrics() -> None:
    assert describe_step(DONE) == "trained  churn                        version 2, roc_auc 0.8512, 1.2 s"


def test_a_failure_is_told_with_its_error_and_a_skip_with_its_reason() -> None:
    error = ContractError("3 rows fail CHECK (age >= 0)", hint="look at them")
    failed = StepReport(asset="t", kind="table", action="build", status="failed", reason="new", error=error)
    skipped = StepReport(asset="m", kind="model", action="train", status="skipped", reason="t failed")
    assert "error[TM-DATA-CONTRACT]: 3 rows fail" in describe_step(failed)
    assert describe_step(skipped).endswith("t failed")
    report = RunReport(run_id="r1", status="failed", steps=(DONE, failed, skipped), seconds=3, unchanged=2)
    assert summary(report) == "1 done, 1 failed, 1 skipped, 2 unchanged in 3.0 s (run r1)"


def test_a_long_way_is_told_by_tenths_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for quiet in (False, True):
        with share_line(quiet=quiet) as tell:
            for row in range(1, 1001):
                tell(f"row {row}", row / 1000)

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [f"row {row}" for row in (1, *range(100, 1001, 100))]


def test_bars_come_and_go_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    listener = follow()
    assert isinstance(listener, Bars)
    with listener:
        listener(RunStarted(run_id="r1", total=1))
        listener(StepStarted(asset="churn", kind="model", action="train", reason="new"))
        listener(StepProgress(asset="churn", message="tree 3", done=3, total=20))
        listener(StepFinished(report=DONE))
        listener(RunFinished(report=RunReport(run_id="r1", status="ok", steps=(DONE,))))
    assert capsys.readouterr().out.startswith("trained  churn")


def test_no_color_and_pipes_get_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert wants_colour(Terminal())
    assert not wants_colour(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_colour(Terminal())
    assert paint("x", "31", when=False) == "x"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.0, "59.0 s"), (61, "1 min 1 s"), (7_260, "2 h 1 min")]
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_rows_that_went_are_told_beside_those_that_came() -> None:
    step = replace(DONE, asset="t", kind="table", action="increment", rows=1, deleted=2, metrics={})
    assert describe_step(step) == "added to t                            1 row and 2 deleted, version 2, 1.2 s"
