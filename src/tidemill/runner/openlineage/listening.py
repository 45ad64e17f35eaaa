"""Where lineage events come into a run: beside whoever listens to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tidemill.runner.events import Event, RunWarned

if TYPE_CHECKING:
    from tidemill.planner.plan import Plan
    from tidemill.runner.steps.job import Job


@contextmanager
def with_lineage_events(plan: Plan, job: Job, listen: Callable[[Event], None]) -> Iterator[Callable[[Event], None]]:
    """A listener that sends lineage events as well, when the settings name a place for them.

    What does not arrive is told as a warning: a run is never held up or failed by it.
    """
    settings = job.stations.settings.openlineage
    if not settings.wanted:
        yield listen
        return
    from tidemill.runner.openlineage.outbox import open_outbox
    from tidemill.runner.openlineage.telling import Teller

    outbox = open_outbox(settings, job.stations.root)
    teller = Teller(plan, job, outbox)

    def both(event: Event) -> None:
        listen(event)
        teller.tell(event)

    try:
        yield both
    finally:
        teller.abort()
        for lost in outbox.close():
            listen(RunWarned(message=lost))
