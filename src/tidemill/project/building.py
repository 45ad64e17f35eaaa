"""What is built: the plan, the run that carries it out, the checks and tests of it, and SQL typed by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tidemill.project.opened import Opened

if TYPE_CHECKING:
    from tidemill.planner.plan import Plan
    from tidemill.runner.check import CheckReport
    from tidemill.runner.events import Event
    from tidemill.runner.report import RunReport
    from tidemill.runner.result import Result
    from tidemill.runner.unit_tests.result import TestResult


class Building(Opened):
    """What a project can have built."""

    def plan(self, selectors: Sequence[str] = (), *, full_refresh: bool = False) -> Plan:
        """List what a run would do, and why.

        Raises
        ------
        StatementError
            A statement cannot be read, names clash or are unknown, assets read each other in a circle, or the options
            or checks of a table are wrong.
        SettingsError
            A deployment names a metric that says nothing of its model, or tables columns that there are not.
        """
        from tidemill.runner.planning import plan_project
        from tidemill.runner.statements import require_right

        plan, summaries = plan_project(self.site, selectors, full_refresh=full_refresh)
        require_right(plan, summaries, self.statements.statement)
        return plan

    def run(
        self,
        selectors: Sequence[str] = (),
        *,
        full_refresh: bool = False,
        forget_gone_files: bool = False,
        wait_s: float = 0,
        on_event: Callable[[Event], None] | None = None,
    ) -> RunReport:
        """Do what the plan lists.

        Parameters
        ----------
        forget_gone_files
            Whether an incremental table that is built whole may lose the rows of files that are gone; else it stays.
        wait_s
            How long to wait for another run of this project to end.
        on_event
            Told of everything as it happens; called from the threads of the steps.

        Raises
        ------
        BusyError
            Another run is going on.
        """
        from tidemill.runner.building import build

        return build(
            self.site,
            selectors,
            full_refresh=full_refresh,
            forget_gone_files=forget_gone_files,
            wait_s=wait_s,
            listen=on_event or _silent,
        )

    def check(self, tables: Sequence[str] = ()) -> CheckReport:
        """Check what is in the lake: the contracts of these tables, or of all, and the assertions about them.

        Raises
        ------
        NotFoundError
            A name is no table of the project, or one that is not built yet.
        """
        from tidemill.runner.check import Asked, check_tables
        from tidemill.runner.statements import Views

        summaries = self.statements.summaries()
        asked = Asked(
            db=self.db,
            warehouse=self.warehouse,
            clock=self.clock,
            summaries=summaries,
            statement=lambda summary: self.statements.statement(summary.file, summary.ordinal),
            views=Views(self.statements, summaries),
            stations=lambda: self.stations,
            notes=self.settings.tables,
        )
        return check_tables(asked, tables)

    def test(
        self, names: Sequence[str] = (), *, on_result: Callable[[TestResult], None] = lambda _: None
    ) -> list[TestResult]:
        """Carry out the unit tests of the ``tests`` folder: all, or those that a name or pattern means.

        Raises
        ------
        ParseError
            A file holds something that is not a test.
        NotFoundError
            A name means none.
        """
        from tidemill.runner.unit_tests.bench import open_bench, run_tests
        from tidemill.runner.unit_tests.cases import choose_tests, read_tests

        results: list[TestResult] = []
        tests = choose_tests(read_tests(self.root, dialect=self.settings.dialect), names)
        if tests:
            with open_bench(self.root, self.statements, self.db, of=[test.of for test in tests]) as bench:
                for result in run_tests(bench, tests):
                    on_result(result)
                    results.append(result)
        return results

    def sql(self, text: str, *, dialect: str | None = None, on_event: Callable[[Event], None] | None = None) -> Result:
        """Carry out statements and hand back the rows of the last one.

        Queries may hold ML functions anywhere a table may stand; CREATE and DROP statements are carried out at once.
        """
        from tidemill.runner.adhoc import run_text
        from tidemill.runner.unbuilt import telling_unbuilt

        with telling_unbuilt(self.statements.summaries):
            return run_text(self.stations, text, dialect=dialect or self.settings.dialect, listen=on_event or _silent)


def _silent(_: Event) -> None:
    return
