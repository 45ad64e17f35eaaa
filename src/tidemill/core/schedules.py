"""``[schedules.NAME]`` of tidemill.toml: what is done when, and what becomes of a time that was missed.

`ACTIONS` is the table of what can be done. A new action is a row here and a function in `tidemill.schedule.actions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from tidemill.core.cron import Cron, read_cron
from tidemill.core.cron_times import next_slot
from tidemill.core.entries import Entry, Place, section_values
from tidemill.core.errors import SettingsError, Where
from tidemill.core.names import did_you_mean, name_key

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something a schedule can do.

    Parameters
    ----------
    selects
        What ``select`` names; '' where there is nothing to choose.
    needs_select
        Whether it is done to nothing, not to everything, when ``select`` is left out: so it must be given.
    needs_time
        Whether each model it is done to must say which column is the time of a row.
    cause
        What it asks for new versions by, which the settings of each deployment it is done to must let.
    also
        Settings that say something to this action alone.
    """

    name: str
    doc: str
    selects: Literal["", "assets", "deployments", "models"] = ""
    needs_select: bool = False
    needs_time: bool = False
    cause: str = ""
    also: tuple[str, ...] = ()


ACTIONS: tuple[Action, ...] = (
    Action(name="run", doc="Build what is stale, as `tidemill run` does.", selects="assets"),
    Action(name="check", doc="Check what is in the lake, as `tidemill check` does.", selects="assets"),
    Action(name="maintain", doc="Look after the lake, as `tidemill maintain` does."),
    Action(
        name="collect",
        doc="Carry the prediction log into the lake and take in the labels that `[deployments.NAME.labels]` declares, "
        "as `tidemill collect --once` does.",
    ),
    Action(
        name="monitor",
        doc="Measure and judge what deployments answered, as `tidemill monitor --once` does.",
        selects="deployments",
    ),
    Action(
        name="retrain",
        doc="Carry out the requests for new versions that are due, as `tidemill retrain --due` does; before that "
        "ask for one of each deployment in `select`, whose `retrain.on` must have schedule.",
        selects="deployments",
        cause="schedule",
    ),
    Action(
        name="backtest",
        doc="Train each model in `select` at moments of the past, `every` so far apart, and test it on what came "
        "after, as `tidemill backtest` does; `tidemill.backtests` keeps the figures.",
        selects="models",
        needs_select=True,
        needs_time=True,
        also=("every",),
    ),
    Action(name="verify", doc="Check every file against its digest, as `tidemill verify` does."),
)

SCHEDULE: tuple[Entry, ...] = (
    Entry(
        name="cron",
        default="",
        doc='When: minute, hour, day of the month, month, day of the week, as in crontab(5) ("0 3 * * mon-fri"); or '
        "@hourly, @daily, @weekly, @monthly, @yearly.",
    ),
    Entry(name="zone", default="UTC", doc="The time zone of `cron`, by its IANA name such as Europe/Amsterdam."),
    Entry(
        name="do", default="run", choices=tuple(action.name for action in ACTIONS), doc="What is done; see the table."
    ),
    Entry(name="select", default=(), doc="What it is done to, as on the command line; everything when left out."),
    Entry(name="every", default="1 week", span=True, doc="backtest: how far apart its trainings are, such as '1 day'."),
    Entry(
        name="catch_up",
        default="latest",
        choices=("latest", "all", "none"),
        doc="What is made up for of the times that passed while no scheduler ran: the latest, all in order (the newest "
        "100), or none that is more than 10 minutes late.",
    ),
    Entry(
        name="late_minutes",
        default=0,
        low=0,
        high=5_256_000,
        doc="How late a time may still be begun, in minutes; 0 sets no bound (10 minutes with catch_up = none).",
    ),
    Entry(
        name="retries",
        default=2,
        low=0,
        high=100,
        doc="How often a time is tried again that failed by what may pass (a lock, a full disk), or whose process was "
        "killed. What fails by the SQL or the rows is not tried again.",
    ),
    Entry(
        name="retry_seconds",
        default=60.0,
        low=0,
        high=86_400,
        doc="The pause before the first retry, in seconds; it doubles each time, up to an hour.",
    ),
    Entry(name="enabled", default=True, doc="Whether it is on. What passes while it is off is not made up for."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSettings:
    """``[schedules.NAME]``, checked."""

    name: str
    cron: Cron
    zone: str
    do: str
    select: tuple[str, ...]
    every: timedelta
    catch_up: str
    late_minutes: int
    retries: int
    retry_seconds: float
    enabled: bool
    select_at: Where | None = None

    @property
    def key(self) -> str:
        """The form in which names are compared."""
        return name_key(self.name)

    @property
    def tz(self) -> ZoneInfo:
        """The zone itself."""
        from zoneinfo import ZoneInfo

        return ZoneInfo(self.zone)

    def next_after(self, moment: datetime) -> datetime | None:
        """When it comes next; None while it is off."""
        return next_slot(self.cron, self.tz, moment) if self.enabled else None


def schedule_settings(given: Any, place: Place) -> dict[str, ScheduleSettings]:
    """Check ``[schedules]``: one table a schedule, in the order of the file."""
    if not isinstance(given, Mapping):
        raise SettingsError("schedules must be tables: [schedules.NAME]", where=place("schedules"))
    found: dict[str, ScheduleSettings] = {}
    for name, section in given.items():
        same = next((other for other in found if name_key(other) == name_key(name)), None)
        if same is not None:
            raise SettingsError(f"schedules {same} and {name} have the same name", where=place(f"schedules.{name}"))
        found[name] = one_schedule(name, section, place)
    return found


def one_schedule(name: str, given: Any, place: Place = lambda _: None) -> ScheduleSettings:
    """Check ``[schedules.NAME]``."""
    path = f"schedules.{name}"
    values = section_values(path, given, SCHEDULE, place)
    if not values["cron"]:
        raise SettingsError(f"{path} has no cron", where=place(path), hint='say when: cron = "0 3 * * *"')
    _check_action(path, given, values, place)
    try:
        values["cron"] = read_cron(values["cron"])
    except SettingsError as error:
        raise SettingsError(f"{path}.cron: {error.message}", where=place(f"{path}.cron"), hint=error.hint) from None
    _check_zone(path, values["zone"], place)
    return ScheduleSettings(name=name, select_at=place(f"{path}.select"), **values)


def _check_action(path: str, given: Mapping[str, Any], values: Mapping[str, Any], place: Place) -> None:
    """What is done takes what is said of it."""
    action = next(one for one in ACTIONS if one.name == values["do"])
    if values["select"] and not action.selects:
        raise SettingsError(
            f"{path}.select says nothing to {action.name}, which is done to everything", where=place(f"{path}.select")
        )
    if action.needs_select and not values["select"]:
        raise SettingsError(
            f"{path} has no select, and {action.name} must be told which {action.selects}",
            where=place(f"{path}.do"),
            hint='name them: select = ["NAME"]',
        )
    for other in ACTIONS:
        wrong = next((one for one in other.also if one in given and one not in action.also), None)
        if wrong is not None:
            raise SettingsError(
                f"{path}.{wrong} says nothing to {action.name}, only to {other.name}", where=place(f"{path}.{wrong}")
            )
    if not values["every"]:
        raise SettingsError(
            f"{path}.every must be longer than nothing", where=place(f"{path}.every"), hint="such as '1 week'"
        )


SHORT_ZONES: Mapping[str, str] = {
    "ACST": "Australia/Darwin or Australia/Adelaide",
    "AEDT": "Australia/Sydney",
    "AEST": "Australia/Brisbane or Australia/Sydney",
    "AWST": "Australia/Perth",
    "BST": "Europe/London",
    "CDT": "America/Chicago",
    "CEST": "Europe/Amsterdam",
    "CST": "America/Chicago or Asia/Shanghai",
    "EDT": "America/New_York",
    "HKT": "Asia/Hong_Kong",
    "IST": "Asia/Kolkata or Europe/Dublin",
    "JST": "Asia/Tokyo",
    "KST": "Asia/Seoul",
    "MDT": "America/Denver",
    "MSK": "Europe/Moscow",
    "NZDT": "Pacific/Auckland",
    "NZST": "Pacific/Auckland",
    "PDT": "America/Los_Angeles",
    "PST": "America/Los_Angeles",
    "SGT": "Asia/Singapore",
    "WEST": "Europe/Lisbon",
}
"""Zones by abbreviations that are no names of theirs: what looks like one is seldom what was meant."""

_LONGEST_SHORT = 5


def _check_zone(path: str, zone: str, place: Place) -> None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones
        known = available_timezones()
        short = zone.isupper() and len(zone) <= _LONGEST_SHORT
        hint = did_you_mean(zone, known) if known and not short else ""
        if short and zone in SHORT_ZONES:
            hint = f"such as {SHORT_ZONES[zone]}; or UTC"
        elif not hint or hint.startswith("known"):
            hint = "names are as in Europe/Amsterdam; where none is known, install the system's tzdata"
        raise SettingsError(
            f"{path}.zone: there is no time zone {zone!r}", where=place(f"{path}.zone"), hint=hint
        ) from None
