"""Fixtures for every test."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

# Two workers train at once on two cores: threads that spin while they wait for one another take each other's core, and
# a model of 200 rows 17 seconds. Children inherit it. It is read when the first OpenMP library is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# A machine that is busy with something else must not fail a test: time is measured in benchmarks/.
hypothesis.settings.register_profile("tidemill", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
if not os.environ.get("CI"):
    hypothesis.settings.load_profile("tidemill")


@pytest.fixture(autouse=True)
def _faults_count_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault acts on its n-th pass: what an earlier test passed does not count."""
    monkeypatch.setattr("tidemill.core.faults._passes", {})


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; tests that need it skip when it is not there."""
    folder = Path(os.environ.get("TIDEMILL_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"needs the real data sets: set TIDEMILL_TEST_DATA ({folder} is not there)")
    return folder


class Jumps:
    """The clock of child processes that are started with this environment: a test moves its hands."""

    def __init__(self, library: Path, file: Path) -> None:
        self.file = file
        # Durations go on as they do when a real clock jumps, and files keep the times they were written at.
        only_the_wall_clock = {"DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            **only_the_wall_clock,
        }
        self.to("+0")

    def to(self, when: str) -> None:
        """Jump: ``+365d`` from the real time, or to a moment, ``@2026-03-02 12:00:00``."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{when}\n")
        new.replace(self.file)


@pytest.fixture
def jumps(tmp_path: Path) -> Jumps:
    """A clock that jumps under real processes; needs libfaketime."""
    found = [
        path for folder in ("/usr/lib", "/usr/lib64") for path in Path(folder).glob("**/faketime/libfaketime.so.1")
    ]
    if not found:
        pytest.skip("needs libfaketime: apt-get install faketime")
    return Jumps(found[0], tmp_path / "faketime")
