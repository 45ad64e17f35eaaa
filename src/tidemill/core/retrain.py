"""The section ``[deployments.NAME.retrain]`` of tidemill.toml: what asks for a new version, and how often it may."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tidemill.core.durations import read_duration
from tidemill.core.entries import Entry, Place
from tidemill.core.errors import SettingsError

CAUSES: Mapping[str, str] = {
    "quality": "the realised quality of the champion fell",
    "staleness": "the champion is older than `max_age`",
    "schedule": 'a schedule with `do = "retrain"` came due',
}
"""What may ask for a new version by itself. A person may always ask; drift asks for none alone."""

RETRAIN: tuple[Entry, ...] = (
    Entry(
        name="on",
        default=(),
        doc="What asks for a new version by itself: quality, staleness, schedule. Nothing when left out.",
    ),
    Entry(
        name="max_age",
        default="",
        span=True,
        doc="How old the champion may become, since its training, before staleness asks.",
    ),
    Entry(
        name="max_age_with_drift",
        default="",
        span=True,
        doc="The age that is enough once inputs or predictions drift; '' lets drift never ask. Drift alone asks for "
        "nothing: what moved need not cost quality.",
    ),
    Entry(
        name="at_most",
        default="1 per 1 day",
        doc="How many trainings there may be in a span of time, as `N per SPAN`; what is asked for beyond it waits. A "
        "person's request does not.",
    ),
    Entry(
        name="back_off",
        default="1 day",
        span=True,
        doc="How long nothing is tried after a new version was refused by a gate, was rolled back, or its rows failed "
        "their checks; it doubles with each further one.",
    ),
    Entry(name="back_off_most", default="16 days", span=True, doc="The longest such pause."),
)

_AT_MOST = re.compile(r"\s*(\d+)\s+per\s+(.+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainSettings:
    """``[deployments.NAME.retrain]``, checked. ``most`` trainings in ``span`` is what ``at_most`` says."""

    on: tuple[str, ...]
    max_age: timedelta
    max_age_with_drift: timedelta
    most: int
    span: timedelta
    back_off: timedelta
    back_off_most: timedelta


def retrain_settings(path: str, values: Mapping[str, Any], place: Place) -> RetrainSettings:
    """The settings of one deployment, from the checked values of its rows."""
    here = f"{path}.retrain"
    given = dict(values)
    for cause in given["on"]:
        if cause in CAUSES:
            continue
        hint = f"one of {', '.join(CAUSES)}"
        if cause == "drift":
            hint = "drift alone asks for nothing; max_age_with_drift says how old a champion may be once there is some"
        raise SettingsError(f"{here}.on: nothing asks by {cause!r}", where=place(f"{here}.on"), hint=hint)
    if "staleness" in given["on"] and not given["max_age"]:
        raise SettingsError(
            f"{here}.on has staleness, and nothing says what is stale",
            where=place(f"{here}.on"),
            hint="add max_age = '30 days'",
        )
    most, span = _read_at_most(given.pop("at_most"), f"{here}.at_most", place)
    return RetrainSettings(most=most, span=span, **given)


def unlet(deployment: str, settings: RetrainSettings, cause: str) -> SettingsError | None:
    """What is wrong where a cause asks of a deployment whose settings do not let it; None where they do."""
    if cause in settings.on:
        return None
    on = ", ".join(f'"{one}"' for one in (*settings.on, cause))
    return SettingsError(
        f"deployments.{deployment}.retrain.on does not have {cause}: no {cause} may ask for a new version",
        hint=f"set on = [{on}] in [deployments.{deployment}.retrain]",
    )


def _read_at_most(text: str, path: str, place: Place) -> tuple[int, timedelta]:
    found = _AT_MOST.fullmatch(text)
    span = (read_duration(found[2]) or read_duration(f"1 {found[2]}")) if found else None
    if found is None or span is None or not int(found[1]):
        raise SettingsError(
            f"{path} must be a number and a span of time; got {text!r}",
            where=place(path),
            hint="such as '1 per 1 day' or '2 per 1 week'",
        )
    return int(found[1]), span
