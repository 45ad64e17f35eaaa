"""A project with one schedule, whose slot is due: it comes once a year, so no test meets the next."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tidemill.core.clock import Clock, utc_now
from tidemill.project import Project, open_project
from tidemill.schedule.perform import note, perform_due
from tidemill.testing.control import control_url, postgresql
from tidemill.warehouse.control.schedules import SlotRow, list_slots

__all__ = ["control_url", "postgresql"]

YEARLY = """
lease_seconds = 5
threads = 1
[schedules.yearly]
cron = "@yearly"
retry_seconds = 0
"""

TABLE = "CREATE TABLE numbers AS SELECT i FROM range(3) AS r(i);"

Words = list[tuple[str, dict[str, Any]]]


def write_project(root: Path, settings: str = YEARLY) -> Path:
    (root / "sql").mkdir(parents=True, exist_ok=True)
    (root / "sql" / "numbers.sql").write_text(TABLE)
    (root / "tidemill.toml").write_text(settings)
    return root


def make_due(root: Path) -> None:
    """Let the schedules be known for a year and a day: the 1st of January has passed."""
    then = utc_now() - timedelta(days=367)
    with open_project(root, clock=Clock(now=lambda: then)) as project:
        note(project.db, list(project.settings.schedules.values()), then)


@pytest.fixture
def yearly(tmp_path: Path) -> Path:
    root = write_project(tmp_path / "yearly")
    make_due(root)
    return root


def slots(root: Path, name: str = "yearly") -> list[SlotRow]:
    with open_project(root) as project:
        return list_slots(project.db, name)


class Moved:
    """A project whose clock a test moves, and what schedules said."""

    def __init__(self, root: Path, start: datetime) -> None:
        self.root, self.moment = root, start
        self.words: Words = []

    def open(self) -> Project:
        return open_project(self.root, clock=Clock(now=lambda: self.moment))

    def look(self, moment: datetime | None = None) -> list[str]:
        """Do what is due at a moment; the words that were said."""
        self.moment = moment or self.moment
        before = len(self.words)
        with self.open() as project:
            perform_due(project, say=lambda word, facts: self.words.append((word, facts)))
        return [word for word, _ in self.words[before:]]

    def rows(self, name: str) -> list[tuple[str, str, int]]:
        """Slots, oldest first: when, how they ended, how many before them were passed over."""
        with self.open() as project:
            found = list_slots(project.db, name, limit=1000)
        return [(f"{row.slot:%m-%d %H:%M}", row.status, row.passed_over) for row in reversed(found)]


@pytest.fixture
def moved(tmp_path: Path) -> Callable[[str], Moved]:
    """A project with these settings that has no statements, at noon of 2026-03-02."""

    def make(settings: str) -> Moved:
        root = tmp_path / "moved"
        root.mkdir()
        (root / "tidemill.toml").write_text(settings)
        made = Moved(root, at("2026-03-02 12:00"))
        made.look()
        return made

    return make


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
