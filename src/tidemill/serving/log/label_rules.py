"""What makes a label one: the same rules for what comes over HTTP, from a table or from a file."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec import structs

from tidemill.core.errors import InputError
from tidemill.core.names import did_you_mean, name_key
from tidemill.core.sections import DeploymentSettings
from tidemill.serving.log.label_values import LabelValues
from tidemill.serving.log.records import LabelRow
from tidemill.serving.log.redact import redact_keys
from tidemill.serving.log.texts import text_of

FIELDS = ("id", "label", "time", "known_at")
"""What a label has, beside the deployment's key."""

#: What `tidemill.api.ids` makes, with the number of the row where there were several.
PREDICTION_ID = re.compile(r"[0-9a-hjkmnp-tv-z]{26}(-[0-9]{1,9})?")

_LARGEST = sys.float_info.max

AHEAD = timedelta(days=1)
"""A time may lie on the wrong side of another by so much: one without a zone is taken for UTC, and may be hours off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRules:
    """The rules of one deployment.

    Parameters
    ----------
    key
        The column that names the entity; '' where labels come by id alone.
    now
        When the labels came: nothing comes true, or is known, after it was told.
    values
        Which values are labels of the model.
    timed
        Whether a label by key must say when it came true: a file may be read long after that.
    """

    key: str
    now: datetime
    values: LabelValues = field(default_factory=LabelValues)
    timed: bool = False

    def read(self, number: int, given: Any) -> LabelRow:
        """One label, checked: an object with ``label``, with ``id`` or the key, and perhaps ``time`` and ``known_at``.

        Raises
        ------
        InputError
            It is none; ``number`` says which it is.
        """
        if not isinstance(given, dict):
            raise InputError(f"label {number} is no object", row=number)
        self._require_fields(number, given)
        label = self._label(number, given.get("label"))
        id_, entity = self._whose(number, given)
        time = self._time(number, "time", given.get("time"))
        known = self._time(number, "known_at", given.get("known_at"))
        if self.timed and id_ is None and time is None:
            raise InputError(
                f"label {number} does not say when it came true",
                hint=f"a label by {self.key} is for the answer that was given before it",
                row=number,
            )
        if time is not None and known is not None and _utc(time) - _utc(known) > AHEAD:
            raise InputError(
                f"label {number} has a known_at that lies before its time",
                hint="nothing is known before it came true",
                row=number,
            )
        return LabelRow(label=label, id=id_, key=entity, time=_text(time), known=_text(known))

    def _require_fields(self, number: int, given: Mapping[str, Any]) -> None:
        """Nothing but what a label has: a field that is misspelt would count for nothing, and be missed by nobody."""
        known = (*FIELDS, self.key) if self.key else FIELDS
        unknown = next((name for name in given if name not in FIELDS and name_key(name) != name_key(self.key)), None)
        if unknown is not None:
            raise InputError(
                f"label {number} has {unknown!r}, which no label has", hint=did_you_mean(unknown, known), row=number
            )

    def _label(self, number: int, given: Any) -> Any:
        label = _plain(given)
        if label is None:
            raise InputError(f"label {number} has no label", hint="NULL is no label: leave it out", row=number)
        label, classes = self.values.value(label), self.values.classes
        numbers = self.values.numbers and not classes
        if isinstance(label, dict | list) or (numbers and isinstance(label, str | bool)):
            raise InputError(f"label {number} is no {'number' if numbers else 'plain value'}", row=number)
        if isinstance(label, float) and label != label:
            raise InputError(f"label {number} is not a number (NaN)", hint="leave it out", row=number)
        if isinstance(label, int | float) and abs(label) > _LARGEST:
            raise InputError(f"label {number} is no finite number", hint="leave it out", row=number)
        if classes and text_of(label) not in classes:
            known = ", ".join(sorted(classes)[:12])
            raise InputError(
                f"label {number} is {label!r}, which is no class of the model",
                hint=f"its classes are {known}",
                row=number,
            )
        return label

    def _whose(self, number: int, given: dict[str, Any]) -> tuple[str | None, str | None]:
        """The prediction's id, or the key of the entity: one of the two.

        Where the key's column is itself called ``id``, texts of the form of a prediction's id are one.
        """
        key = self.key
        by_name = {name_key(name): _plain(value) for name, value in given.items()}
        if key and name_key(key) in by_name:
            entity = by_name[name_key(key)]
            if entity is None or isinstance(entity, dict | list):
                raise InputError(f"label {number} has a {key} that is no plain value", row=number)
            if name_key(key) == "id":
                if isinstance(entity, str) and PREDICTION_ID.fullmatch(entity):
                    return entity, None
                return None, text_of(entity)
            if "id" not in given:
                return None, text_of(entity)
        if "id" not in given:
            names = f'"id", or "{key}"' if key else '"id"'
            raise InputError(f"label {number} names no prediction", hint=f"give {names} beside the label", row=number)
        if not isinstance(given["id"], str):
            raise InputError(f"label {number} has an id that is no text", row=number)
        if not given["id"].strip():
            raise InputError(f"label {number} has an empty id", hint="give the id of the prediction", row=number)
        return given["id"], None

    def _time(self, number: int, name: str, given: Any) -> datetime | None:
        if given is None:
            return None
        try:
            time = given if isinstance(given, datetime) else datetime.fromisoformat(_iso(given))
            utc = _utc(time)
        except (TypeError, ValueError, OverflowError):
            raise InputError(
                f"label {number} has a {name} that is none", hint="give ISO text: 2024-02-29T13:45:00Z", row=number
            ) from None
        if utc - self.now > AHEAD:
            raise InputError(
                f"label {number} has a {name} that lies in the future",
                hint=f"here it is {self.now:%Y-%m-%d %H:%M} UTC: tell a label once it came true",
                row=number,
            )
        return time


def hide_keys(rows: Sequence[LabelRow], settings: DeploymentSettings, log_key: bytes) -> list[LabelRow]:
    """The rows with their keys as the log of predictions has them: hashed or left out where the deployment says so."""
    if not settings.hash_columns and not settings.omit_columns:
        return list(rows)
    keys = redact_keys(
        [row.key for row in rows],
        settings.key,
        hash_columns=settings.hash_columns,
        omit_columns=settings.omit_columns,
        key=log_key,
    )
    if any(row.id is None and key is None for row, key in zip(rows, keys, strict=True)):
        raise InputError(
            f"the log leaves {settings.key} out, so a label cannot be found by it", hint='give "id" beside the label'
        )
    return [structs.replace(row, key=key) for row, key in zip(rows, keys, strict=True)]


def _plain(value: Any) -> Any:
    """What a database has beside what JSON has, as JSON would have it."""
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, date) else value


def _iso(given: Any) -> str:
    return given.isoformat() if isinstance(given, date) else given


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
