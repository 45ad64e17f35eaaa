"""Aliases: a version by a name that people give it, wherever a version may stand; each change is an audit row."""

from __future__ import annotations

import re

from tidemill.core.errors import NotFoundError, StateError
from tidemill.core.names import did_you_mean
from tidemill.warehouse.control import aliases, audit, models
from tidemill.warehouse.control.database import Database, Tx, reading, writing
from tidemill.warehouse.control.models import ModelVersion

_ALIAS = re.compile(r"[a-z0-9_-]{1,64}")
RULE = "an alias has 1 to 64 characters a-z, 0-9, _ and -, and is not a number"


def check_alias(alias: str) -> str:
    """Refuse a name that could not be told from a version, or typed without quotes.

    Raises
    ------
    StateError
        It is not an alias.
    """
    if _ALIAS.fullmatch(alias) and not alias.isdecimal():
        return alias
    raise StateError(f"{alias!r} cannot be an alias", hint=RULE, alias=alias)


def set_alias(
    db: Database | Tx, model: str, alias: str, version: int | str, *, who: str, why: str = ""
) -> ModelVersion:
    """Point an alias at a version (or at what another alias points at), now and for everybody.

    Raises
    ------
    StateError
        The name cannot be an alias.
    NotFoundError
        There is no such model or version.
    """
    check_alias(alias)
    with writing(db) as tx:
        found = resolve(tx, model, version)
        before = aliases.set_alias(tx, found.name, alias, found.version, who=who)
        if before != found.version:
            audit.append(
                tx,
                who=who,
                action="set alias",
                object=f"model {found.name}",
                why=why,
                evidence={"alias": alias, "version": found.version, "before": before, "digest": found.digest},
            )
    return found


def remove_alias(db: Database | Tx, model: str, alias: str, *, who: str, why: str = "") -> int:
    """Take an alias away; returns the version it pointed at.

    Raises
    ------
    NotFoundError
        The model has no such alias.
    """
    with writing(db) as tx:
        name = models.get_version(tx, model).name
        before = aliases.remove_alias(tx, name, alias)
        if before is None:
            raise _unknown(tx, name, alias)
        audit.append(
            tx,
            who=who,
            action="remove alias",
            object=f"model {name}",
            why=why,
            evidence={"alias": alias, "version": None, "before": before},
        )
    return before


def resolve(db: Database | Tx, model: str, version: int | str | None = None) -> ModelVersion:
    """Find a version by number or alias; ``model`` may be ``name@alias``; without either, the current one.

    Raises
    ------
    NotFoundError
        There is no such model, version or alias.
    """
    name, _, alias = model.partition("@")
    wanted = alias if alias and version is None else version
    with reading(db) as tx:
        if not isinstance(wanted, str) or wanted.isdecimal():
            return models.get_version(tx, name, None if wanted is None else int(wanted))
        current = models.get_version(tx, name)
        number = aliases.find_alias(tx, name, wanted)
        if number is None:
            raise _unknown(tx, current.name, wanted)
        return models.get_version(tx, name, number)


def _unknown(tx: Tx, model: str, alias: str) -> NotFoundError:
    known = [one.alias for one in aliases.list_aliases(tx, model)]
    hint = did_you_mean(alias, known) or f"set it: tidemill models {model} --alias {alias}=VERSION"
    return NotFoundError(f"model {model} has no alias {alias}", hint=hint, model=model, alias=alias)
