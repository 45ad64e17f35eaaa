"""From a window's figures to what happens to alerts. Pure: the same figures and the same past give the same answer.

``decide(measurements, window, past, alerts, policy) -> Decision``. The steps: judge each figure (`verdict`), look at it
together with the windows before (`budget.chance`), let each family spend its share of the false alarms
(`budget.benjamini_hochberg`), put figures of one cause together (`causes`), and see what is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tidemill.core.words import count
from tidemill.monitoring import budget, causes
from tidemill.monitoring.alert import Alert, Transition, Trouble
from tidemill.monitoring.budget import Policy
from tidemill.monitoring.measurement import Measurement, Window
from tidemill.monitoring.verdict import RECENT, Key, Verdict, judge

LASTING = 0.9
"""What differs in this share of the windows of a whole season is not a season's doing."""

FORGOTTEN = timedelta(days=60)
"""An alert whose figures were not measured for so long is over."""

WORSE = 2.0
"""An open alert is told again when one of its figures is so many times what was told of it."""

_NAMED = 3

_DAY = timedelta(days=1)
_DAILY = frozenset({"prediction", "feature"})
"""Families that differ between day and night, and from one version's training to another's."""

Past = Mapping[Key, Sequence[Verdict]]
"""What was judged before, by figure, the newest window first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a window brought.

    Parameters
    ----------
    verdicts
        Each figure, judged: to be kept, they are the past of the next windows.
    transitions
        What happened to alerts, also to those that go on.
    """

    verdicts: tuple[Verdict, ...]
    transitions: tuple[Transition, ...]


def decide(
    measurements: Iterable[Measurement],
    window: Window,
    past: Past,
    alerts: Sequence[Alert],
    policy: Policy,
    *,
    floors: Mapping[Key, float] | None = None,
) -> Decision:
    """Decide what the figures of one window mean for the alerts of a deployment.

    Parameters
    ----------
    measurements
        Of this window. Families may come in several calls: labels come late. A figure that comes again replaces what
        the past has of it.
    past
        Verdicts of other windows, later ones too where this window is looked at again: `keep_windows` of each figure.
    alerts
        Those that are open, and those that were resolved within the cool-down.
    floors
        Effects that people found not worth an alert, by figure.
    """
    verdicts = judge(measurements, window, floors=floors)
    known = {key: _series(key, verdicts.get(key), past) for key in {*past, *verdicts}}
    levels = _levels(verdicts, known, window, policy)
    looked = _Looked(known=known, levels=levels, window=window, policy=policy)
    alarms = [one for family in causes.by_family(verdicts.values()).values() for one in looked.alarms(family)]
    transitions = _after_alarms(alarms, looked, list(alerts))
    return Decision(verdicts=tuple(verdicts.values()), transitions=tuple(transitions))


def keep_windows(policy: Policy, window: Window) -> int:
    """How many windows of each figure the past must have."""
    return max(_season(policy, window), policy.of_windows + policy.quiet_windows * 8, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """What is known of every figure, with the level at which one window of it is a breach."""

    known: Mapping[Key, Sequence[Verdict]]
    levels: Mapping[str, float]
    window: Window
    policy: Policy

    def alarms(self, family: Sequence[Verdict]) -> list[Verdict]:
        """The figures of a family in alarm, by Benjamini and Hochberg."""
        name = family[0].key.family
        judged = [one for one in family if one.p is not None]
        chances = [self._chance(one) for one in judged]
        rejected = budget.benjamini_hochberg(chances, self.policy.allowance(name, self.window))
        return [one for index, one in enumerate(judged) if index in rejected]

    def breach(self, one: Verdict) -> bool:
        """Whether a window by itself is beyond the threshold."""
        level = self.levels.get(one.key.family, 0.0)
        if one.p is None or one.p > level:
            return False
        return self._season_says(one, level) or self._lasting(one, level)

    def moved(self, windows: Iterable[Window]) -> list[Verdict]:
        """Features that were beyond the threshold in these windows, the newest of each."""
        wanted = set(windows)
        found = []
        for key, series in self.known.items():
            if key.family in causes.INPUTS:
                here = next((one for one in series if one.window in wanted and self.breach(one)), None)
                found += [here] if here else []
        return found

    def loud(self, keys: Iterable[Key]) -> dict[Window, bool]:
        """Windows that say something of these figures, newest first: whether any of them was a breach."""
        said: dict[Window, bool] = {}
        for key in keys:
            for one in self.known.get(key, ()):
                if one.p is not None:
                    said[one.window] = said.get(one.window, False) or self.breach(one)
        return dict(sorted(said.items(), key=lambda item: item[0].start, reverse=True))

    def quiet(self, keys: Iterable[Key]) -> int:
        """How many of the newest windows that say something of these figures were no breach."""
        said = self.loud(keys)
        return next((number for number, loud in enumerate(said.values()) if loud), len(said))

    def began(self, key: Key, *, gap: int) -> datetime | None:
        """Start of the first breach of a figure since it was last quiet for so many windows; None without one."""
        first, quiet = None, 0
        for window, loud in self.loud([key]).items():
            quiet = 0 if loud else quiet + 1
            if first is not None and quiet >= gap:
                break
            first = window.start if loud else first
        return first

    def since(self, one: Verdict) -> Window:
        """The first of the windows that make the alarm."""
        _, m = self._rule(one)
        newest = self._own(one)[:m]
        return min((other.window for other in newest if self.breach(other)), default=one.window)

    def _rule(self, one: Verdict) -> tuple[int, int]:
        """How many windows of how many; days need one more before there is a same weekday: a weekend is two days."""
        if one.reference == RECENT:
            return self.policy.breaches + 1, self.policy.of_windows + 1
        k, m = self.policy.rule(one.key.family)
        first = one.twin is None and one.reference == "training" and one.key.family in _DAILY
        more = int(first and _season(self.policy, one.window) > 1)
        return k + more, m + more

    def _chance(self, one: Verdict) -> float:
        k, m = self._rule(one)
        series = self._own(one)
        newest = [other.p for other in series[:m] if other.p is not None]
        level = self.levels[one.key.family]
        lasting = newest[0] <= level and self._lasting(one, level)
        if newest[0] > sorted(newest)[min(k, len(newest)) - 1] and not lasting:
            return 1.0  # the alarm of an earlier window, if it was one; what lasts was none before
        against_training = budget.chance(newest, k=k, m=m, shared=one.shared)
        if against_training >= 1.0 or lasting or not _has_season(one):
            return against_training
        # Two references must agree, so the larger chance counts: it is a p-value for either of them.
        twins = [self._twin(other) for other in series[:m]]
        return max(against_training, budget.chance(twins, k=k, m=m))

    def _twin(self, one: Verdict) -> float:
        """How it looks beside the same period before; without one, only whole days speak for themselves."""
        if one.twin is not None:
            return one.twin
        return 1.0 if one.p is None or _waits(one) else one.p

    def _season_says(self, one: Verdict, level: float) -> bool:
        return self._twin(one) <= level

    def _lasting(self, one: Verdict, level: float) -> bool:
        """Whether a figure differs from training through a whole season, or as many windows as the rule looks at.

        A window as long as the season is compared with the one before it: from the second on, what broke looks usual.
        Where training spans a season and windows do not, that is the season: each month differs from a whole year. It
        could be told by counting all windows of a season as one, which nobody does.
        """
        through = max(_season(self.policy, self.window), self.policy.of_windows)
        series = self._own(one)[:through]
        beyond = sum(1 for other in series if other.p is not None and other.p <= level)
        return len(series) >= through and beyond >= LASTING * through

    def _own(self, one: Verdict) -> list[Verdict]:
        """Windows that say something of this figure, the newest first.

        What differs from one version's training says nothing of another's: a version that was promoted begins anew.
        """
        series = [other for other in self.known[one.key] if other.p is not None]
        if one.key.family not in _DAILY:
            return series
        return [other for other in series if other.version == one.version]


def _waits(one: Verdict) -> bool:
    """Whether a figure says nothing before the same period before is there to be compared with."""
    shorter = one.window.end - one.window.start < _DAY
    return shorter and one.twin is None and one.reference == "training" and one.key.family in _DAILY


def _has_season(one: Verdict) -> bool:
    return one.seasonal or _waits(one)


def _season(policy: Policy, window: Window) -> int:
    return max(1, round(policy.season / (window.end - window.start)))


def _series(key: Key, now: Verdict | None, past: Past) -> tuple[Verdict, ...]:
    """Everything judged of a figure, newest window first, this window's verdict in its place."""
    before = past.get(key, ())
    if now is None:
        return tuple(before)
    if not before or now.window.start > before[0].window.start:
        return (now, *before)
    others = [one for one in before if one.window != now.window]
    return tuple(sorted([*others, now], key=lambda one: one.window.start, reverse=True))


def _levels(
    verdicts: Mapping[Key, Verdict], known: Mapping[Key, Sequence[Verdict]], window: Window, policy: Policy
) -> dict[str, float]:
    """By family, the level at which one window of one figure is a breach: as many tests as this family has now."""
    found = {}
    for family in {key.family for key in known}:
        now = [one for one in verdicts.values() if one.key.family == family and one.p is not None]
        last = [series[0] for key, series in known.items() if key.family == family and series]
        judged = now or last
        k, m = policy.rule(family)
        shared = max((round(one.shared, 2) for one in judged), default=0.0)
        found[family] = budget.level_of(
            policy.allowance(family, window), tests=max(1, len(judged)), k=k, m=m, shared=shared
        )
    return found


def _after_alarms(alarms: Sequence[Verdict], looked: _Looked, alerts: list[Alert]) -> list[Transition]:
    """Put alarms under alerts, then see which alerts are over."""
    happened: dict[Trouble, Transition] = {}
    moved = looked.moved([looked.window])
    for one in alarms:
        standing = [*(alert for alert in alerts if alert.resolved is None)]
        trouble = (causes.severity_of(one.key.family), causes.cause_of(one, standing, moved))
        before = happened.get(trouble)
        found = before.alert if before else _find(alerts, trouble)
        transition = _taken_in(one, found, trouble, looked, before)
        happened[trouble] = transition
        alerts[:] = [alert for alert in alerts if alert.trouble != trouble] + [transition.alert]
    happened |= {
        alert.trouble: _goes_on(alert, looked)
        for alert in alerts
        if alert.resolved is None and alert.trouble not in happened
    }
    return [_weighed(_told(_narrowed(transition, looked), looked)) for transition in happened.values()]


def _find(alerts: Sequence[Alert], trouble: Trouble) -> Alert | None:
    same = [alert for alert in alerts if alert.trouble == trouble]
    return max(same, key=lambda alert: (alert.resolved is None, alert.opened), default=None)


def _taken_in(
    one: Verdict, found: Alert | None, trouble: Trouble, looked: _Looked, before: Transition | None
) -> Transition:
    """An alarm joins the alert of its cause, opens it again, or opens a new one."""
    end = looked.window.end
    evidence = (*before.evidence, one) if before else (one,)
    if found is None or (found.resolved is not None and end - found.resolved > looked.policy.cool_down):
        severity, cause = trouble
        since = looked.since(one).start
        alert = Alert(cause=cause, severity=severity, keys=(one.key,), since=since, opened=end)
        return Transition(happening="opened", alert=alert, evidence=evidence)
    if found.resolved is not None:
        # What healed is over: it is about what is wrong now.
        since = looked.since(one).start
        alert = replace(found, keys=(one.key,), since=since, resolved=None, reopened=found.reopened + 1)
        return Transition(happening="reopened", alert=alert, evidence=evidence)
    wider = one.key not in found.keys
    keys = causes.merged(found.keys, [one.key])
    alert = replace(found, keys=keys, since=min(found.since, looked.since(one).start))
    happening = before.happening if before else "continuing"
    if wider and happening == "continuing":
        happening = "widened"
    return Transition(happening=happening, alert=alert, evidence=evidence)


def _goes_on(alert: Alert, looked: _Looked) -> Transition:
    """An open alert that has no alarm in this window: it goes on, until it was quiet long enough."""
    newest = max((one.window.end for key in alert.keys for one in looked.known.get(key, ())), default=alert.opened)
    if looked.window.end - newest > FORGOTTEN:
        over = replace(alert, resolved=looked.window.end)
        return Transition(happening="resolved", alert=over, reason="its figures are not measured any more")
    quiet = looked.quiet(alert.keys)
    if quiet >= looked.policy.quiet(alert.reopened):
        over = replace(alert, resolved=next(iter(looked.loud(alert.keys))).end)
        return Transition(happening="resolved", alert=over, reason=f"{count(quiet, 'window')} without a breach")
    evidence = [
        one
        for key in alert.keys
        for one in looked.known.get(key, ())[:1]
        if one.window == looked.window and looked.breach(one)
    ]
    return Transition(happening="continuing", alert=alert, evidence=tuple(evidence))


def _narrowed(transition: Transition, looked: _Looked) -> Transition:
    """Without the figures that were quiet for as long as ends an alert, while others of it go on."""
    alert = transition.alert
    if alert.resolved is not None:
        return transition
    gap = looked.policy.quiet(alert.reopened)
    keys = tuple(key for key in alert.keys if looked.quiet([key]) < gap)
    if not keys or keys == alert.keys:
        return transition
    began = [moment for key in keys if (moment := looked.began(key, gap=gap)) is not None]
    since = max(alert.since, min(began, default=alert.since))
    return replace(transition, alert=replace(alert, keys=keys, since=since))


def _told(transition: Transition, looked: _Looked) -> Transition:
    """With its evidence in order, and the features that moved where it is about what follows from them."""
    evidence = tuple(sorted(transition.evidence, key=lambda one: (one.p or 0.0, -one.effect)))
    windows = [one.window for one in evidence]
    moved = [] if transition.alert.severity == "diagnosis" else looked.moved(windows)
    own = {one.key for one in evidence}
    return replace(
        transition, evidence=evidence, explained=causes.explaining([one for one in moved if one.key not in own])
    )


def _weighed(transition: Transition) -> Transition:
    """With how bad its figures were when they were told: one that is far worse by now is news."""
    happening, reason = transition.happening, transition.reason
    if happening == "resolved":
        return transition
    alert = transition.alert
    anew = happening in {"opened", "reopened"}
    before = {} if anew else {key: value for key, value in alert.told.items() if key in alert.keys}
    worse = [one for one in transition.evidence if one.key in before and _far_worse(one, before[one.key])]
    if happening == "continuing" and worse:
        happening, reason = "worsened", f"far worse than was told: {_beside(worse, before)}"
    told = dict(before)
    for one in transition.evidence:
        said = before.get(one.key)
        if one.value is not None and (said is None or (happening != "continuing" and abs(one.value) > abs(said))):
            told[one.key] = one.value
    return replace(transition, happening=happening, reason=reason, alert=replace(alert, told=told))


def _far_worse(one: Verdict, told: float) -> bool:
    """Whether an effect is a multiple of what was told, and by more than its interval leaves open."""
    if one.value is None:
        return False
    sign = 1.0 if one.value >= 0 else -1.0
    near = one.low if sign > 0 else one.high
    return sign * one.value >= WORSE * abs(told) and (near is None or sign * near > abs(told))


def _beside(worse: Sequence[Verdict], told: Mapping[Key, float]) -> str:
    """How bad the first few of these are, and were."""
    said = []
    for key, value in ((one.key, one.value) for one in worse[:_NAMED]):
        about = f"{key.subject} ({key.slice})" if key.slice else key.subject
        said.append(f"{key.test} of {about} {value:.4g}, it was {told[key]:.4g}")
    more = f"; and {len(worse) - _NAMED} more" if len(worse) > _NAMED else ""
    return f"{'; '.join(said)}{more}"
