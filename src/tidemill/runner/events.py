"""What a run says while it goes: plain events, for progress bars, logs and tests."""

from __future__ import annotations

from dataclasses import dataclass

from tidemill.runner.report import RunReport, StepReport


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """The run has its lease; ``total`` steps have work."""

    run_id: str
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A step begins."""

    asset: str
    kind: str
    action: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress:
    """A step is ``done`` of ``total`` (0 when unknown) through what ``message`` names."""

    asset: str
    message: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished:
    """A step ended, well or badly."""

    report: StepReport


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The run ended."""

    report: RunReport


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWarned:
    """Something beside the run's own work went wrong: the run is what it is."""

    message: str


Event = RunStarted | StepStarted | StepProgress | StepFinished | RunFinished | RunWarned
