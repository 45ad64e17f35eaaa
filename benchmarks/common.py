"""Processes measured side by side: wall and CPU seconds, peak memory, medians of paired ratios.

Only the standard library is imported here: a child's peak memory is never counted below its parent's.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

OUT = Path(__file__).resolve().parent / "out"
BARE = Path(__file__).resolve().parent / "bare"
PYTHON = sys.executable
TIDEMILL = str(Path(sys.executable).with_name("tidemill"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One way to do a job: a command, and what must happen before each of its runs (not measured)."""

    name: str
    command: Sequence[str]
    folder: Path = OUT
    before: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run of one contestant."""

    wall_s: float
    cpu_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A figure that must not be above a limit."""

    what: str
    value: float
    limit: float
    unit: str = "x"

    @property
    def reached(self) -> bool:
        return self.value <= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a job found: rows of figures for people, figures that have a limit, and a page of its own if it has one."""

    job: str
    lines: Sequence[str]
    targets: Sequence[Target] = ()
    page: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for. A quick run shows that everything works; its figures mean nothing."""

    rounds: int = 5
    quick: bool = False

    def rows(self, full: int) -> int:
        return max(1_000, full // 50) if self.quick else full


@dataclass(slots=True)
class Rounds:
    """The runs of all contestants, by name, in the order of rounds."""

    runs: dict[str, list[Measured]] = field(default_factory=dict)

    def median(self, name: str, figure: str) -> float:
        return statistics.median(getattr(run, figure) for run in self.runs[name])

    def ratio(self, name: str, limit: str, figure: str = "wall_s") -> float:
        """The median over rounds of this contestant's figure over the other's in the same round."""
        pairs = zip(self.runs[name], self.runs[limit], strict=True)
        return statistics.median(getattr(mine, figure) / getattr(other, figure) for mine, other in pairs)

    def table(self, limit: str) -> list[str]:
        """Markdown rows: medians, and ratios to one contestant."""
        lines = [
            "| | wall s (least to most) | CPU s | peak MB | x wall | x CPU | x peak |",
            "|---|---|---|---|---|---|---|",
        ]
        for name, runs in self.runs.items():
            walls = [run.wall_s for run in runs]
            cells = [
                name,
                f"{statistics.median(walls):.3g} ({min(walls):.3g} to {max(walls):.3g})",
                f"{self.median(name, 'cpu_s'):.3g}",
                f"{self.median(name, 'peak_mb'):.0f}",
                *(f"{self.ratio(name, limit, figure):.2f}" for figure in ("wall_s", "cpu_s", "peak_mb")),
            ]
            lines.append(f"| {' | '.join(cells)} |")
        return lines


def measure(command: Sequence[str], *, folder: Path, log: Path) -> Measured:
    """Run a command to its end; a failure shows the end of its output and stops the benchmark."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        start = time.perf_counter()
        child = subprocess.Popen(
            list(command), cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(command)}\nended with {child.returncode}:\n{log.read_text(errors='replace')[-2000:]}")
    return Measured(wall_s=wall, cpu_s=used.ru_utime + used.ru_stime, peak_mb=used.ru_maxrss / 1024)


def interleave(contestants: Sequence[Contestant], rounds: int) -> Rounds:
    """Run all contestants once a round, A B A B ..., so that whatever else the machine does falls on all of them."""
    found = Rounds({contestant.name: [] for contestant in contestants})
    for number in range(rounds):
        # Each round begins with another contestant: none is always the one that finds the files warm.
        turn = number % len(contestants)
        for contestant in [*contestants[turn:], *contestants[:turn]]:
            if contestant.before:
                contestant.before()
            log = OUT / "logs" / f"{contestant.name.replace(' ', '_').replace('/', '_')}.txt"
            run = measure(contestant.command, folder=contestant.folder, log=log)
            found.runs[contestant.name].append(run)
            figures = f"{run.wall_s:.2f} s, {run.cpu_s:.2f} s CPU, {run.peak_mb:.0f} MB"
            say(f"  round {number + 1} {contestant.name}: {figures}")
    return found


def environment() -> dict[str, str]:
    """The children's environment: compiled modules are kept, else every start would compile all it imports."""
    dropped = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONUNBUFFERED"}
    return {name: value for name, value in os.environ.items() if name not in dropped} | {"NO_COLOR": "1"}


def prepare(command: Sequence[str], *, folder: Path = OUT) -> Measured:
    """Run a command that is not compared with anything."""
    return measure(command, folder=folder, log=OUT / "logs" / "prepare.txt")


def project(name: str, files: Mapping[str, str]) -> Path:
    """An empty folder with these files and a settings file."""
    import shutil

    folder = OUT / "projects" / name
    shutil.rmtree(folder, ignore_errors=True)
    for path, text in {"tidemill.toml": "", **files}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def forget(folder: Path) -> None:
    """Make a project as new: nothing is built."""
    import shutil

    shutil.rmtree(folder / ".tidemill", ignore_errors=True)


def remember(folder: Path) -> None:
    """Keep what is built of a project, for `recall`."""
    import shutil

    shutil.rmtree(folder / "kept", ignore_errors=True)
    shutil.copytree(folder / ".tidemill", folder / "kept")


def recall(folder: Path) -> None:
    """Put a project back as it was when it was remembered."""
    import shutil

    forget(folder)
    shutil.copytree(folder / "kept", folder / ".tidemill")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
