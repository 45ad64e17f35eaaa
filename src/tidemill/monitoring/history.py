"""What was judged of a deployment before: read and decoded once, then kept up to date with every window."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from tidemill.monitoring.budget import Policy
from tidemill.monitoring.decide import keep_windows
from tidemill.monitoring.measurement import Window
from tidemill.monitoring.verdict import Key, Verdict
from tidemill.warehouse.control import alerts as kept
from tidemill.warehouse.control.connection import Database, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The verdicts of a deployment.

    Parameters
    ----------
    series
        By figure, the newest window first.
    """

    deployment: str
    series: dict[Key, list[Verdict]]

    def keep(self, tx: Tx, window: Window, verdicts: Sequence[Verdict], policy: Policy) -> None:
        """Keep what was judged of a window; what was said before of its other figures stays."""
        new = {one.key for one in verdicts}
        before = [
            one for series in self.series.values() for one in series if one.window == window and one.key not in new
        ]
        families: dict[str, list[Verdict]] = {}
        for one in itertools.chain(verdicts, before):
            families.setdefault(one.key.family, []).append(one)
        touched = {one.key.family for one in verdicts}
        texts = {name: msgspec.json.encode(families[name]).decode() for name in touched}
        most = keep_windows(policy, window)
        kept.save_verdicts(tx, self.deployment, (window.start, window.end), texts)
        kept.forget_verdicts(tx, self.deployment, touched, keep=most)
        for one in verdicts:
            others = [other for other in self.series.get(one.key, ()) if other.window != window]
            self.series[one.key] = sorted([one, *others], key=lambda it: it.window.start, reverse=True)
        for family in touched:
            self._forget(family, most)

    def _forget(self, family: str, most: int) -> None:
        """The newest windows of a family stay, as they do in the database."""
        mine = {key: series for key, series in self.series.items() if key.family == family}
        starts = sorted({one.window.start for series in mine.values() for one in series}, reverse=True)
        if len(starts) <= most:
            return
        for key, series in mine.items():
            self.series[key] = [one for one in series if one.window.start >= starts[most - 1]]
            if not self.series[key]:
                del self.series[key]


def load_history(db: Database | Tx, deployment: str) -> History:
    """Read what is kept of a deployment."""
    series: dict[Key, list[Verdict]] = {}
    for _, text in kept.load_verdicts(db, deployment):
        for one in msgspec.json.decode(text, type=list[Verdict]):
            series.setdefault(one.key, []).append(one)
    return History(deployment=deployment, series=series)
