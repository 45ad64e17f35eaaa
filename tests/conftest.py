"""Fixtures for every test."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

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
