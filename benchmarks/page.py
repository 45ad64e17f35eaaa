"""Writes figures into docs/performance.md, between the markers of each job; the prose around them stays."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.common import Result

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
LIBRARIES = ("duckdb", "xgboost-cpu", "onnxruntime", "pyarrow", "numpy")


def fill(page: Path, results: Sequence[Result], *, load: float) -> None:
    """Put each result between ``<!-- figures: JOB -->`` and ``<!-- end: JOB -->``."""
    text = page.read_text()
    for result in results:
        text = _replace(text, result.job, [machine(load), "", *result.lines, "", *targets([result])])
    page.write_text(text)


def targets(results: Sequence[Result]) -> list[str]:
    """The figures that have a limit, and whether it holds."""
    rows = [target for result in results for target in result.targets]
    if not rows:
        return []
    lines = ["| target | limit | measured | |", "|---|---|---|---|"]
    for row in rows:
        verdict = "reached" if row.reached else "**missed**"
        lines.append(f"| {row.what} | {row.limit:g} {row.unit} | {row.value:.3g} {row.unit} | {verdict} |")
    return lines


def machine(load: float) -> str:
    """Where and when, in a line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC: {os.cpu_count()} cores, {memory:.0f} GiB, load average "
        f"{load:.1f} at the start; Python {platform.python_version()}, {libraries}."
    )


def _replace(text: str, job: str, lines: Sequence[str]) -> str:
    head, end = f"<!-- figures: {job} -->", f"<!-- end: {job} -->"
    pattern = re.compile(re.escape(head) + ".*?" + re.escape(end), re.DOTALL)
    body = "\n".join([head, *lines, end])
    if not pattern.search(text):
        return f"{text.rstrip()}\n\n## {job}\n\n{body}\n"
    return pattern.sub(lambda _: body, text)
