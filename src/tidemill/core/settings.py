"""tidemill.toml and TIDEMILL_* variables, read into one typed object. One row of `SETTINGS` per thing to set."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from tidemill.core.alerting import SinkSettings, sink_settings
from tidemill.core.columns import Notes, table_notes
from tidemill.core.connections import ConnectionSettings, connection_settings
from tidemill.core.erase import EraseSettings, erase_settings
from tidemill.core.errors import SettingsError, Where
from tidemill.core.maintain import MaintainSettings, maintain_settings
from tidemill.core.names import did_you_mean
from tidemill.core.openlineage import OpenLineageSettings, openlineage_settings
from tidemill.core.schedules import ScheduleSettings, schedule_settings
from tidemill.core.sections import DeploymentSettings, ServerSettings, deployment_settings, server_settings

SETTINGS_FILE = "tidemill.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One thing a project can set: its name, default, bounds, and what it is for."""

    name: str
    default: str | int
    doc: str
    low: int | None = None
    high: int | None = None


SETTINGS: tuple[Setting, ...] = (
    Setting(name="name", default="", doc="The project's name; the folder's name when empty."),
    Setting(
        name="dialect",
        default="duckdb",
        doc="The SQL dialect of the statements: duckdb, bigquery, or any other that sqlglot reads.",
    ),
    Setting(name="seed", default=2024, low=0, high=2**31 - 1, doc="Seed of everything random in training."),
    Setting(name="threads", default=0, low=0, high=1024, doc="Threads for queries and training; 0 takes every core."),
    Setting(
        name="memory_limit_mb",
        default=0,
        low=0,
        doc="Memory the engine may use before it spills to disk; 0 is 80 % of the machine's.",
    ),
    Setting(name="parallel_steps", default=2, low=1, high=64, doc="Steps that may run side by side."),
    Setting(
        name="lease_seconds", default=30, low=5, high=3600, doc="How long a silent run keeps its claim on the project."
    ),
    Setting(
        name="grace_hours", default=24, low=0, high=8760, doc="How old a file nobody names must be before it is swept."
    ),
    Setting(
        name="keep_versions",
        default=0,
        low=0,
        doc="How many of a model's newest versions a run leaves; 0 leaves all. What is referred to always stays.",
    ),
    Setting(
        name="keep_days",
        default=30,
        low=0,
        high=36500,
        doc="Versions younger than this stay, whatever keep_versions says, in days.",
    ),
    Setting(
        name="control_url",
        default="",
        doc="The control database: empty for SQLite in .tidemill, or postgresql://user@host/database.",
    ),
)


SECTIONS = ("server", "deployments", "connections", "openlineage", "maintain", "erase", "tables", "schedules", "alerts")
"""Tables of the file; their rows stand in `core.sections` and in the modules of `core` that are called as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A project's settings, checked."""

    name: str
    dialect: str
    seed: int
    threads: int
    memory_limit_mb: int
    parallel_steps: int
    lease_seconds: int
    grace_hours: int
    keep_versions: int
    keep_days: int
    control_url: str
    server: ServerSettings
    deployments: Mapping[str, DeploymentSettings]
    openlineage: OpenLineageSettings
    connections: Mapping[str, ConnectionSettings]
    maintain: MaintainSettings
    erase: EraseSettings
    schedules: Mapping[str, ScheduleSettings]
    alerts: Mapping[str, SinkSettings]
    tables: Notes


def read_settings(root: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read a project's settings: the file, then TIDEMILL_<NAME> variables over it.

    Raises
    ------
    SettingsError
        The file is missing or not TOML, or a key is unknown or out of range.
    """
    path = root / SETTINGS_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"{root} is not a Tidemill project: it has no {SETTINGS_FILE}", hint="tidemill init DIR makes one"
        ) from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 text ({error.reason} at byte {error.start})") from None
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from None
    return make_settings(given, root=root, text=text, environment=environment)


def settings_to_look(root: Path, environment: Mapping[str, str] = os.environ) -> tuple[Settings, SettingsError | None]:
    """The settings, for those who only look; where they are wrong, the control database they name alone, and the error.

    Raises
    ------
    SettingsError
        There is no file of settings, or a variable is wrong.
    """
    try:
        return read_settings(root, environment), None
    except SettingsError as error:
        path = root / SETTINGS_FILE
        if not path.is_file():
            raise
        text = path.read_text(encoding="utf-8", errors="replace")
        # What stands before the first table can often be read although what follows cannot.
        head = "\n".join(takewhile(lambda line: not line.lstrip().startswith("["), text.splitlines()))
        try:
            url = tomllib.loads(head).get("control_url")
        except tomllib.TOMLDecodeError:
            url = None
        given = {"control_url": url} if isinstance(url, str) else {}
        return make_settings(given, root=root, text=text, environment=environment), error


def settings_stamp(root: Path) -> tuple[int, int] | None:
    """What changes when the file of the settings is edited; None where there is none."""
    try:
        found = (root / SETTINGS_FILE).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def make_settings(given: dict[str, Any], *, root: Path, text: str, environment: Mapping[str, str]) -> Settings:
    """Check plain values against the table and fill in the defaults."""
    known = {setting.name: setting for setting in SETTINGS}
    for key in given:
        if key not in known and key not in SECTIONS:
            hint = did_you_mean(key, [*known, *SECTIONS])
            raise SettingsError(f"unknown setting {key}", where=_place(text, key), hint=hint)
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        variable = f"TIDEMILL_{setting.name.upper()}"
        value = given.get(setting.name, setting.default)
        where = _place(text, setting.name) if setting.name in given else None
        if variable in environment:
            value, where = _from_text(setting, environment[variable], variable), None
        values[setting.name] = _check(setting, value, where)
    values["name"] = values["name"] or root.resolve().name
    return Settings(
        **values,
        server=server_settings(given.get("server", {}), lambda path: _place(text, path)),
        deployments=deployment_settings(given.get("deployments", {}), lambda path: _place(text, path)),
        openlineage=openlineage_settings(given.get("openlineage", {}), lambda path: _place(text, path)),
        connections=connection_settings(given.get("connections", {}), lambda path: _place(text, path), environment),
        maintain=maintain_settings(given.get("maintain", {}), lambda path: _place(text, path)),
        erase=erase_settings(given.get("erase", {}), lambda path: _place(text, path)),
        schedules=schedule_settings(given.get("schedules", {}), lambda path: _place(text, path)),
        alerts=sink_settings(given.get("alerts", {}), lambda path: _place(text, path)),
        tables=table_notes(given.get("tables", {}), lambda path: _place(text, path)),
    )


def _from_text(setting: Setting, text: str, variable: str) -> str | int:
    if isinstance(setting.default, str):
        return text
    try:
        return int(text)
    except ValueError:
        raise SettingsError(f"{variable} must be a whole number; got {text!r}") from None


def _check(setting: Setting, value: object, where: Where | None) -> str | int:
    if isinstance(setting.default, str):
        if not isinstance(value, str):
            raise SettingsError(f"setting {setting.name} must be text; got {value!r}", where=where)
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise SettingsError(f"setting {setting.name} must be a whole number; got {value!r}", where=where)
    if (setting.low is not None and value < setting.low) or (setting.high is not None and value > setting.high):
        bounds = f"at least {setting.low}" if setting.high is None else f"between {setting.low} and {setting.high}"
        raise SettingsError(f"setting {setting.name} must be {bounds}; got {value}", where=where)
    return value


def _place(text: str, path: str) -> Where | None:
    """Find the line of a dotted key, or of what it stands in most closely, for the caret."""
    table, nearest, length = "", None, 0
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        header = bare.startswith("[")
        word = (bare.lstrip("[").partition("]") if header else bare.partition("="))[0].strip().replace('"', "")
        found = word if header or not table else f"{table}.{word}"
        table = word if header else table
        if found == path:
            return _mark(line, number, word)
        if path.startswith(f"{found}.") and len(found) > length:
            nearest, length = _mark(line, number, word), len(found)
    return nearest


def _mark(line: str, number: int, word: str) -> Where:
    column = max(line.find(word), 0) + 1
    return Where(file=SETTINGS_FILE, line=number, column=column, length=len(word), text=line)
