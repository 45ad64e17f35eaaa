"""The generated pages of docs/reference but for BigQuery ML's: commands, settings, errors, system tables."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from click import Context

from tidemill.cli.main import COMMANDS, command_line
from tidemill.core import errors
from tidemill.core.alerting import SINK, SINK_KINDS
from tidemill.core.columns import COLUMN
from tidemill.core.connections import CONNECTION
from tidemill.core.connections import KINDS as SOURCE_KINDS
from tidemill.core.entries import Entry
from tidemill.core.erase import ERASE
from tidemill.core.errors import TidemillError
from tidemill.core.maintain import MAINTAIN
from tidemill.core.openlineage import OPENLINEAGE
from tidemill.core.schedules import ACTIONS, SCHEDULE
from tidemill.core.sections import DEPLOYMENT, PARTS, SERVER
from tidemill.core.settings import SETTINGS, Setting
from tidemill.runner.column_notes import COLUMNS_TABLE
from tidemill.up.parts import PARTS as PARTS_OF_UP
from tidemill.warehouse.control.log_tables import LOG_TABLES
from tidemill.warehouse.control.system.read import TABLES

GENERATED = "<!-- Generated from the code. Write it anew with: make docs -->\n\n"

KINDS = {"text": "text", "int": "whole number", "float": "number", "bool": "true or false", "time": "time in UTC"}
KINDS["json"] = "text that holds JSON"

WHO_MENDS = {
    "StatementError": "you, in the SQL",
    "DataError": "you, in the rows or the files; the old version stays",
    "RequestError": "who sends the HTTP request",
    "StateError": "you, by what exists: a name, a version, a damaged file",
    "UserCodeError": "you, in code of yours that raised",
    "TransientError": "time: try again",
    "InternalError": "us: please report it with the message",
}


def settings_page() -> str:
    """Every setting: its default, its bounds, what it is for."""
    lines = [
        "# Settings\n\n",
        GENERATED,
        "A project's settings stand in its `tidemill.toml`. An environment variable goes before the file:\n",
        "`TIDEMILL_` and the name in capitals. Unknown names are refused, with the nearest one that exists.\n\n",
        '```toml\n# tidemill.toml\ndialect = "bigquery"\nthreads = 4\n```\n\n',
        "| setting | default | bounds | variable | what it is |\n|---|---|---|---|---|\n",
    ]
    lines += [_row(*_setting(setting)) for setting in SETTINGS]
    lines += _sections()
    lines.append(
        "\n`TIDEMILL_PROJECT` names the project's folder for every command, as `--project` does; `NO_COLOR` turns "
        "colours off.\n"
    )
    return "".join(lines)


def _sections() -> Iterator[str]:
    """The sections, each a table of its own."""
    parts = {
        "server": SERVER,
        "connections.NAME": CONNECTION,
        "openlineage": OPENLINEAGE,
        "maintain": MAINTAIN,
        "erase": ERASE,
        "schedules.NAME": SCHEDULE,
        "alerts.NAME": SINK,
        "tables.NAME.columns.COLUMN": COLUMN,
        "deployments.NAME": DEPLOYMENT,
    }
    parts |= {f"deployments.NAME.{name}": entries for name, entries in PARTS.items()}
    for name, entries in parts.items():
        yield f"\n## [{name}]\n\n{ABOUT_SECTIONS[name]}\n\n"
        yield "| setting | default | takes | what it is |\n|---|---|---|---|\n"
        for entry in entries:
            default = "" if entry.default is None else f"`{json.dumps(entry.default)}`"
            yield _row(f"`{entry.name}`", default, _takes_values(entry), entry.doc)
        if name == "connections.NAME":
            yield from _kinds()
        if name == "schedules.NAME":
            yield from _actions()
        if name == "alerts.NAME":
            yield "\n| kind | what it is | needs |\n|---|---|---|\n"
            for sink in SINK_KINDS:
                needs = ", ".join(" or ".join(f"`{one}`" for one in names.split("|")) for names in sink.needs)
                yield _row(sink.name, sink.doc, needs)


def _kinds() -> Iterator[str]:
    """The kinds of connections."""
    yield "\n| kind | URL | what it is | what tells a plan that rows are the same | install |\n|---|---|---|---|---|\n"
    for kind in SOURCE_KINDS:
        extra = f"`pip install 'tidemill[{kind.extra}]'`" if kind.extra else "comes with Tidemill"
        yield _row(kind.name, f"`{kind.form}`", kind.doc, f"{kind.version}", extra)


def _actions() -> Iterator[str]:
    """What schedules can do."""
    yield "\n| do | what is done | `select` names |\n|---|---|---|\n"
    for action in ACTIONS:
        yield _row(
            f"`{action.name}`", action.doc, f"{action.selects}{', must be given' if action.needs_select else ''}"
        )


ABOUT_SECTIONS = {
    "schedules.NAME": "One section for each thing that `tidemill schedule` does by the clock.",
    "openlineage": "Where the lineage events of runs go; nowhere, unless a file or a server is named.",
    "connections.NAME": "One section for each database or storage elsewhere. SQL reads its tables as "
    "`NAME.schema.table`, or as `NAME.table` in its default schema; nothing is ever written there.",
    "tables.NAME.columns.COLUMN": "One section for each column that there is something to say of. Column OPTIONS "
    "say the same in SQL; see [how to describe your columns](../how-to/describe-your-columns.md).",
    "maintain": "What `tidemill maintain` keeps, and what it finds worth doing.",
    "erase": "Where `tidemill erase` remembers whom it erased, and how long it may take.",
    "server": "How `tidemill serve` listens, and what it refuses.",
    "deployments.NAME": "One section for each deployment: a name that requests use, and the model that answers.",
    "deployments.NAME.gates": "What a version must show before it takes traffic.",
    "deployments.NAME.rollout": "How a version that passed its gates takes over.",
    "deployments.NAME.rollback": "What takes a version on trial back.",
    "deployments.NAME.alerting": "When the figures of a deployment's windows become an alert.",
    "deployments.NAME.retrain": "What asks for a new version of the deployment's model, and how often one is tried.",
    "alerts.NAME": "One section for each place that alerts are sent to.",
    "deployments.NAME.labels": "Where labels come from besides HTTP, and which columns they stand in.",
    "deployments.NAME.monitor": "What is watched of a deployment's answers, window by window.",
}


def _takes_values(entry: Entry) -> str:
    if entry.default is None:
        return "any value"
    if entry.choices:
        return ", ".join(choice for choice in entry.choices if choice)
    if isinstance(entry.default, tuple):
        return "a list of numbers" if entry.default and isinstance(entry.default[0], float) else "a list of texts"
    if isinstance(entry.default, bool):
        return "true or false"
    if entry.span:
        return "a span of time: 6 hours"
    if isinstance(entry.default, str):
        return "text"
    if entry.low is not None and entry.high is not None:
        return f"{entry.low:,} to {entry.high:,}"
    return f"at least {entry.low:,}" if entry.low is not None else "a number"


def _setting(setting: Setting) -> tuple[str, ...]:
    default = f'`"{setting.default}"`' if isinstance(setting.default, str) else f"`{setting.default}`"
    bounds = ""
    if setting.low is not None:
        bounds = f"at least {setting.low:,}" if setting.high is None else f"{setting.low:,} to {setting.high:,}"
    return f"`{setting.name}`", default, bounds, f"`TIDEMILL_{setting.name.upper()}`", setting.doc


def errors_page() -> str:
    """Every error: code, exit status, HTTP status, what it means."""
    lines = [
        "# Errors\n\n",
        GENERATED,
        "An error says what happened, where (file, line, column, with carets), and what to do. Its code and its exit\n",
        "status tell programs who can mend it. With `--json` the error goes to standard error as one object,\n",
        '`{"error": {"code": ..., "message": ..., "where": ..., "hint": ..., "facts": ...}}`. In Python it is an\n',
        "exception of the class named here, from `tidemill.core.errors`, with the same as attributes.\n\n",
        "| exit status | who can mend it |\n|---|---|\n",
        "| 0 | nobody: all went well |\n| 2 | you, in the command line or the settings |\n",
    ]
    for error in _errors():
        if TidemillError in error.__bases__:
            lines.append(f"| {error.exit_status} | {WHO_MENDS[error.__name__]} |\n")
    lines.append("| 130 | nobody: you interrupted it; what was published stays, the next run does the rest |\n\n")
    lines.append("A run that fails leaves with the status of its first failure.\n\n")
    lines.append("| code | class | what it means | exit status | try again |\n|---|---|---|---|---|\n")
    for error in _errors():
        again = "yes" if error.retryable else ""
        lines.append(_row(f"`{error.code}`", f"`{error.__name__}`", _summary(error), str(error.exit_status), again))
    return "".join(lines)


def _errors() -> list[type[TidemillError]]:
    found = [item for item in vars(errors).values() if inspect.isclass(item) and issubclass(item, TidemillError)]
    return [error for error in found if error is not TidemillError]


def _summary(error: type[TidemillError]) -> str:
    return (error.__doc__ or "").strip().split("\n")[0]


def system_tables_page() -> str:
    """Every system table with its columns."""
    lines = [
        "# System tables\n\n",
        GENERATED,
        "What Tidemill knows of a project, as tables of the schema `tidemill`, for any query:\n",
        '`tidemill query "SELECT * FROM tidemill.runs"`. They are read from the control database when a query asks.\n',
        "`CREATE TABLE` may read them too; a change in them makes nothing stale.\n",
    ]
    for name, table in {**TABLES, **LOG_TABLES, "columns": COLUMNS_TABLE}.items():
        lines.append(f"\n## tidemill.{name}\n\n{table.about}\n\n| column | holds |\n|---|---|\n")
        lines += [_row(f"`{column}`", KINDS[kind]) for column, kind in table.columns.items()]
    return "".join(lines)


def cli_page() -> str:
    """Every command with its arguments and options."""
    return "".join(_cli_lines())


def _cli_lines() -> Iterator[str]:
    yield "# Commands\n\n"
    yield GENERATED
    yield "Rows and answers go to standard output, the rest to standard error. Exit statuses: [errors](errors.md).\n"
    yield "`tidemill --help` and `tidemill COMMAND --help` say what stands here.\n\n"
    yield "| command | what it does |\n|---|---|\n"
    for name, about in COMMANDS.items():
        yield _row(f"[`tidemill {name}`](#tidemill-{name})", about)
    group = command_line()
    ctx = Context(group)
    for name in COMMANDS:
        yield from _command(name, group.get_command(ctx, name))


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [item for item in command.params if item.param_type_name == "argument"]
    options = [item for item in command.params if item.param_type_name == "option" and item.name != "help"]
    usage = " ".join(f"{_word(item)}" if item.required else f"[{_word(item)}]" for item in arguments)
    yield f"\n## tidemill {name}\n\n{COMMANDS[name]}\n\n`{f'tidemill {name} [OPTIONS] {usage}'.rstrip()}`\n\n"
    yield "| argument or option | what it is |\n|---|---|\n"
    for item in arguments:
        yield _row(f"`{_word(item)}`", item.help or "")
    for item in options:
        yield _row(", ".join(f"`{flag}`" for flag in (*item.opts, *item.secondary_opts)) + _takes(item), _about(item))
    if name == "up":
        yield "\n| part | what it does |\n|---|---|\n"
        for part in PARTS_OF_UP:
            yield _row(f"`{part.name}`", part.doc)


def _word(argument: Any) -> str:
    word = str(argument.metavar or argument.name.rstrip("_").upper())
    return f"{word}..." if argument.nargs == -1 else word


def _takes(option: Any) -> str:
    """What stands after an option: nothing, one of a few words, or a value."""
    if option.is_flag:
        return ""
    kind = option.kind
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f" {', '.join(str(member.value) for member in kind)}"
    words = {int: "NUMBER", float: "NUMBER", Path: "FOLDER"}
    return f" {option.metavar or words.get(kind, option.name.upper())}"


def _about(option: Any) -> str:
    default = option.default
    shown = getattr(default, "value", default)
    said = isinstance(shown, int | float | str) and not isinstance(shown, bool) and shown != ""
    return f"{option.help or ''}{f' Default: {shown}.' if said else ''}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"
