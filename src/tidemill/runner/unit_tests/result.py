"""What came of a unit test: light enough for the terminal to import before anything is carried out."""

from __future__ import annotations

from dataclasses import dataclass

from tidemill.core.errors import TidemillError
from tidemill.runner.unit_tests.compare import Difference
from tidemill.sql.unit_test import UnitTest


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """What came of one test.

    ``problems`` are sentences about checks that did not behave as expected; ``error`` is why it could not be carried
    out.
    """

    __test__ = False  # it is none of pytest's

    test: UnitTest
    seconds: float
    differences: tuple[Difference, ...] = ()
    problems: tuple[str, ...] = ()
    error: TidemillError | None = None

    @property
    def status(self) -> str:
        """passed, failed or error."""
        if self.error is not None:
            return "error"
        return "passed" if not self.problems and all(one.none for one in self.differences) else "failed"
