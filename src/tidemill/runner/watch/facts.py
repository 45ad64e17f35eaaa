"""What a window's answers were like apart from what they said: how many, from which version, how fast."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tidemill.core.names import quote_text
from tidemill.monitoring.measurement import Window
from tidemill.runner.watch.relation import ANSWERED, during
from tidemill.warehouse.protocol import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Counts of a window.

    Parameters
    ----------
    versions
        Rows by the version that answered them.
    fallbacks
        Rows that no version answered.
    slow
        Rows whose answer took longer than allowed.
    """

    versions: dict[int, int]
    fallbacks: int
    slow: int
    percentile_ms: float | None

    @property
    def answers(self) -> int:
        """Rows that a version answered."""
        return sum(self.versions.values())

    @property
    def main_version(self) -> int | None:
        """The version that answered most; of two with as many, the newer."""
        return max(self.versions, key=lambda version: (self.versions[version], version), default=None)


def window_facts(session: Session, deployment: str, window: Window, *, slow_ms: float) -> Facts:
    """Count the answers of a window."""
    answered = f"route IN ({', '.join(map(quote_text, ANSWERED))})"
    rows = session.fetch(
        f"SELECT version, count(*) FILTER (WHERE {answered}), count(*) FILTER (WHERE route = 'fallback'),"
        f" count(*) FILTER (WHERE {answered} AND latency_ms > {slow_ms!r}),"
        f" approx_quantile(latency_ms, 0.99) FILTER (WHERE {answered}) FROM tidemill.predictions"
        f" WHERE deployment = {quote_text(deployment)} AND {during(window)} GROUP BY version ORDER BY version"
    )
    versions = {int(version): int(count) for version, count, *_ in rows if count}
    main = max(versions, key=lambda version: (versions[version], version), default=None)
    return Facts(
        versions=versions,
        fallbacks=sum(int(row[2]) for row in rows),
        slow=sum(int(row[3]) for row in rows),
        percentile_ms=next((float(row[4]) for row in rows if row[0] == main and row[4] is not None), None),
    )


def first_answer(session: Session, deployment: str) -> datetime | None:
    """When a deployment gave its first answer that is in the log."""
    from datetime import UTC

    ((at,),) = session.fetch(f'SELECT min("at") FROM tidemill.predictions WHERE deployment = {quote_text(deployment)}')
    return None if at is None else at.replace(tzinfo=UTC)
