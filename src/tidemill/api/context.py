"""What handlers share: the deployments in memory, the log, the settings, and the counters of this worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tidemill.api.access import Policy
from tidemill.api.ids import Ids
from tidemill.core.clock import Clock
from tidemill.core.errors import NotFoundError
from tidemill.core.names import did_you_mean
from tidemill.core.sections import ServerSettings
from tidemill.serving.counters import Counters

if TYPE_CHECKING:
    from tidemill.api.idempotency import Answered
    from tidemill.api.traces import Tracer
    from tidemill.serving.live import Live, LiveDeployment
    from tidemill.serving.log.writer import LogWriter


@dataclass(slots=True, kw_only=True)
class Context:
    """One worker's parts.

    Parameters
    ----------
    log_key
        What hashed columns are hashed with.
    pool
        Threads for requests that would hold the others up.
    draining
        The worker is going to end: it answers, and says that it is not ready.
    """

    live: Live
    log: LogWriter
    settings: ServerSettings
    policy: Policy
    clock: Clock
    ids: Ids
    counters: Counters
    answered: Answered
    pool: ThreadPoolExecutor
    log_key: bytes = b""
    tracer: Tracer | None = None
    draining: bool = False
    requests: Callable[[], int] = field(default=lambda: 0)
    now_ns: Callable[[], int] = time.time_ns

    def deployment(self, name: str) -> LiveDeployment:
        """A deployment by its name.

        Raises
        ------
        NotFoundError
            There is none.
        """
        found = self.live.get(name)
        if found is None:
            known = self.live.names()
            raise NotFoundError(
                f"there is no deployment {name[:128]}",
                hint=did_you_mean(name[:128], known) or "GET /models lists them; tidemill deploy NAME makes one",
            )
        return found
