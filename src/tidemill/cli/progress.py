"""How a run is told while it goes: bars on a terminal, lines elsewhere, JSON lines for machines."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from tidemill.cli.words import duration, paint, wants_colour
from tidemill.core.words import count
from tidemill.runner.events import Event, RunFinished, RunStarted, RunWarned, StepFinished, StepProgress, StepStarted
from tidemill.runner.report import RunReport, StepReport

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

WORDS = {  # an action while it goes on, and when it is done
    "build": ("building", "built"),
    "increment": ("adding to", "added to"),
    "load": ("loading", "loaded"),
    "insert": ("inserting", "inserted"),
    "train": ("training", "trained"),
    "view": ("defining", "defined"),
    "check": ("checking", "checked"),
    "assert": ("checking", "checked"),
    "drop": ("dropping", "dropped"),
}
COLOURS = {"done": "32", "resumed": "32", "failed": "31", "skipped": "33", "unchanged": "32"}
TOLD_METRICS = ("roc_auc", "accuracy", "r2_score", "mean_absolute_error", "log_loss")


@contextmanager
def status_line() -> Iterator[Callable[[str], None]]:
    """One line on a terminal's stderr that each text replaces, and that is gone at the end; elsewhere nothing."""
    shown = sys.stderr.isatty()

    def tell(text: str) -> None:
        if shown:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    try:
        yield tell
    finally:
        tell("")


@contextmanager
def share_line(*, quiet: bool) -> Iterator[Callable[[str, float], None]]:
    """`status_line` for what knows how far it is; elsewhere a line for each tenth of the way, unless ``quiet``."""
    tenths = -1
    plain = not quiet and not sys.stderr.isatty()

    with status_line() as show:

        def tell(text: str, share: float) -> None:
            nonlocal tenths
            show(text)
            if plain and int(share * 10) > tenths:
                tenths = int(share * 10)
                print(text, file=sys.stderr, flush=True)

        yield tell


class Listener(Protocol):
    """Hears the events of a run; a context, so that bars are taken down."""

    def __call__(self, event: Event) -> None:
        """Hear an event."""

    def finish(self, report: RunReport) -> None:
        """Hear the end."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Silent:
    """Says nothing."""

    def __call__(self, event: Event) -> None:
        """Hear an event."""

    def finish(self, report: RunReport) -> None:
        """Hear the end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open."""


class JsonLog(Silent):
    """One JSON object a line on stderr for each event, with the time in UTC."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Write an event."""
        facts: dict[str, Any]
        if isinstance(event, StepFinished | RunFinished):
            facts = event.report.as_json()
        else:
            facts = {name: getattr(event, name) for name in type(event).__dataclass_fields__}
        self._write(_snake(type(event).__name__), facts)

    def finish(self, report: RunReport) -> None:
        """Say that there was nothing to do: such a run has no events."""
        if report.status == "nothing":
            self._write("run_finished", report.as_json())

    def _write(self, event: str, facts: dict[str, Any]) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "event": event, **facts}, default=str, ensure_ascii=False)
        with self._lock:
            print(line, file=sys.stderr, flush=True)


class Lines(Silent):
    """A line when a step begins (stderr) and one when it ends (stdout)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Print an event."""
        with self._lock:
            if isinstance(event, StepStarted):
                print(f"{doing(event)} ({event.reason})", file=sys.stderr, flush=True)
            elif isinstance(event, StepFinished):
                print(describe_step(event.report), flush=True)
            elif isinstance(event, RunWarned):
                print(f"warning: {event.message}", file=sys.stderr, flush=True)


class Bars(Silent):
    """A bar for each step that is going on, at the bottom of the terminal; finished steps scroll above."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, event: Event) -> None:
        """Move the bars."""
        with self._lock:
            if isinstance(event, RunStarted):
                self._progress = _make_progress()
                self._progress.start()
            elif self._progress is None:
                return
            elif isinstance(event, StepStarted):
                self._tasks[event.asset] = self._progress.add_task(doing(event), total=None)
            elif isinstance(event, StepProgress) and event.asset in self._tasks:
                self._move(self._progress, event)
            elif isinstance(event, StepFinished):
                task = self._tasks.pop(event.report.asset, None)
                if task is not None:
                    self._progress.remove_task(task)
                print(describe_step(event.report, colour=wants_colour()))
            elif isinstance(event, RunWarned):
                print(f"warning: {event.message}")

    def _move(self, progress: Progress, event: StepProgress) -> None:
        task = self._tasks[event.asset]
        text = f"{event.asset}: {event.message}"
        progress.update(task, description=text, total=event.total or None, completed=event.done)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bars down."""
        if self._progress is not None:
            self._progress.stop()


def follow() -> Listener:
    """Bars on a terminal, lines elsewhere."""
    return Bars() if wants_colour(sys.stderr) else Lines()


def _make_progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # What is printed while bars are up must go through them; but a piped stdout stays a pipe.
    return Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty())


def doing(event: StepStarted) -> str:
    """What a step that begins does: ``training churn``."""
    return f"{WORDS.get(event.action, (event.action, ''))[0]} {event.asset}"


def describe_step(report: StepReport, *, colour: bool = False) -> str:
    """One finished step as text: what, how much, how well, how long, and what went wrong."""
    word = WORDS.get(report.action, ("", report.action))[1] if report.status == "done" else report.status
    facts = []
    if report.rows is not None:
        facts.append(count(report.rows, "row") + (f" and {report.deleted:,} deleted" if report.deleted else ""))
    if report.version is not None:
        facts.append(f"version {report.version}")
    facts += [f"{name} {report.metrics[name]:.4g}" for name in TOLD_METRICS if name in report.metrics][:3]
    if report.status in ("done", "failed"):
        facts.append(duration(report.seconds))
    else:
        facts.append(report.reason)
    lines = [f"{paint(f'{word:<8}', COLOURS[report.status], when=colour)} {report.asset:<28} {', '.join(facts)}"]
    lines += [f"  warning: {warning}" for warning in report.warnings]
    if report.error:
        lines += [f"  {line}" for line in report.error.render().split("\n")]
    return "\n".join(lines)


def summary(report: RunReport) -> str:
    """The run in one line."""
    if report.status == "nothing":
        return "nothing to do: everything is as the statements and the data say"
    said = []
    for status, word in (("done", "done"), ("resumed", "resumed"), ("failed", "failed"), ("skipped", "skipped")):
        number = sum(step.status == status for step in report.steps)
        if number:
            said.append(f"{number} {word}")
    unchanged = report.unchanged + sum(step.status == "unchanged" for step in report.steps)
    if unchanged:
        said.append(f"{unchanged} unchanged")
    return f"{', '.join(said) or 'no steps'} in {duration(report.seconds)} (run {report.run_id})"


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")
