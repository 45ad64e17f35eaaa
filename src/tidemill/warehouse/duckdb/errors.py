"""DuckDB's errors become ours here, and only here.

The engine is asked for errors as JSON: what kind, which name, which candidates, at which byte of the query.
"""

from __future__ import annotations

import contextlib
import errno
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tidemill.core.errors import (
    BindError,
    BusyError,
    CorruptError,
    DataError,
    InternalError,
    NotFoundError,
    ParseError,
    SourceError,
    SpaceError,
    TidemillError,
    TransientError,
    UnsupportedError,
)
from tidemill.core.names import did_you_mean
from tidemill.core.secrets import scrub
from tidemill.warehouse.duckdb.places import Places

_FULL = ("No space left on device", "File too large", "database or disk is full", "Disk quota exceeded")
_LOCKED = ("database is locked", "database table is locked")
_UNREADABLE = (
    "No magic bytes found",
    "too small to be a Parquet file",
    "TProtocolException",
    "Invalid Parquet",
    "Failed to read Parquet",
    "Invalid footer",
    "don't match",
    "Snappy",
    "ZSTD",
    "Corrupt",
    "corrupt",
    "Invalid unicode",
    "is not utf-8 encoded",
    "Malformed JSON in file",
    "Error when sniffing file",
)
_LOST = (
    "server closed the connection",
    "terminating connection",
    "Unable to read binary COPY data",
    "Lost connection",
    "Failed to fetch result row for MySQL query",
    "server has gone away",
    "Server has gone away",
    "Connection was killed",
)
_URL = re.compile(r"'([a-z0-9]+://[^'\n]+)'")
_CSV_LINE = re.compile(r"CSV Error on Line: (\d+)")
_CSV_FILE = re.compile(r"^\s*file = (.+)$", re.MULTILINE)
_QUOTED_FILE = re.compile(r"""(?:file|pattern|match the pattern|end of file|open file|read) ["']([^"'\n]+)["']""")
_NOTES = re.compile(r"\n\s*(?:Did you mean|Candidate|Possible|LINE \d+:).*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was being run, for errors that point into it.

    Parameters
    ----------
    sql
        The query as it was handed to us.
    places
        The lake: an unreadable file inside it is damage, not a bad source.
    names
        The tables that exist, asked for only when a name is unknown.
    connections
        Names of the connections in it.
    prefix
        Bytes of SQL that we put before the query.
    clean
        Takes secrets out of what the engine says, and names that people do not know.
    """

    sql: str = ""
    places: Places | None = None
    names: Callable[[], Iterable[str]] = field(default=lambda: ())
    connections: tuple[str, ...] = ()
    prefix: int = 0
    clean: Callable[[str], str] = scrub


@contextlib.contextmanager
def translated(asked: Asked) -> Iterator[None]:
    """Turn the engine's and the system's errors inside the block into Tidemill's."""
    import duckdb

    try:
        yield
    except TidemillError:
        raise
    except duckdb.Error as error:
        # Without the cause when it has words that nobody should see.
        raise translate(error, asked) from (error if asked.clean(str(error)) == str(error) else None)
    except OSError as error:
        raise _system_error(error, asked) from (error if asked.clean(str(error)) == str(error) else None)
    except Exception as error:
        # Arrow is not loaded for its errors: who has not loaded it meets none of them.
        arrow = sys.modules.get("pyarrow")
        if arrow is not None and isinstance(error, arrow.ArrowException):
            raise translate(error, asked) from (error if asked.clean(str(error)) == str(error) else None)
        raise


def translate(error: BaseException, asked: Asked) -> TidemillError:
    """The error of ours that says what an error of DuckDB says."""
    kind, message, details = _read(str(error))
    message = asked.clean(message)
    if not kind:
        kind = type(error).__name__.removesuffix("Exception")
    return _by_cause(message, asked) or _by_kind(kind.replace(" ", "").lower(), message, details, asked)


def first_words(error: BaseException) -> str:
    """The first line of what the engine says."""
    return _first_line(_read(str(error))[1])


def _read(text: str) -> tuple[str, str, dict[str, Any]]:
    start, end = text.find('{"exception_type"'), text.rfind("}")
    if start >= 0 and end > start:
        try:
            details = json.loads(text[start : end + 1], strict=False)
        except ValueError:
            return "", text, {}
        return details.get("exception_type", ""), details.get("exception_message", ""), details
    return "", re.sub(r"^[A-Z][A-Za-z /]*Error: ", "", text), {}


def _by_cause(message: str, asked: Asked) -> TidemillError | None:
    if any(sign in message for sign in _FULL):
        return _full(message, asked)
    if any(sign in message for sign in _LOCKED):
        return BusyError("the warehouse's catalogue is in use", hint="try again in a moment", engine=message)
    file = _file_of(message)
    in_lake = asked.places is not None and str(asked.places.lake) in message
    if in_lake and ("No such file" in message or "No files found" in message or _is_unreadable(message)):
        return CorruptError(
            f"a data file of the warehouse is missing or damaged: {file or _first_line(message)}",
            hint="run `tidemill verify` to see all of them; a table whose source is there can be built anew",
            file=file,
            engine=message,
        )
    line = _CSV_LINE.search(message)
    if line or _is_unreadable(message):
        return _unreadable(message, file, int(line.group(1)) if line else None)
    if "No files found that match" in message or "No such file" in message:
        hint = "file names are looked up from the project's folder"
        if asked.places is not None and "," in str(asked.places.search):
            hint += ", and DuckDB cannot look in a folder with a comma in its name: rename it, or write whole paths"
        return SourceError(f"there is no file {file}" if file else _first_line(message), hint=hint, file=file)
    if any(sign in message for sign in _LOST):
        return TransientError(
            f"a database was lost while it was read: {_first_line(message)}",
            hint="run again when it is there; what was visible before still is",
        )
    if "HTTP 404" in message or "HTTP 403" in message:
        return _no_remote_file(message)
    if "No snapshot found at" in message:
        return NotFoundError(
            f"there is no such version: {_first_line(message)}", hint="`tidemill history TABLE` lists the versions"
        )
    return None


def _no_remote_file(message: str) -> SourceError:
    found = _URL.search(message)
    url = found.group(1) if found else "that file"
    if "HTTP 404" in message:
        return SourceError(f"there is no file {url}", hint="check its address", file=url)
    hint = "check its address; for storage with keys, [connections.NAME] url = 's3://...' names them"
    return SourceError(f"{url} may not be read: its server says 403", hint=hint, file=url)


def _by_kind(kind: str, message: str, details: dict[str, Any], asked: Asked) -> TidemillError:
    facts = {"engine": message} | _place(details, asked)
    short = _short(message)
    if kind in {"parser", "syntax"}:
        return ParseError(f"the engine cannot read the query: {short}", **facts)
    if kind in {"binder", "catalog"}:
        return _unknown(short, details, asked, facts)
    if kind in {"notimplemented", "missingextension"}:
        return UnsupportedError(f"the engine cannot do this: {_first_line(message)}", **facts)
    if kind in {"outofmemory"}:
        return SpaceError(
            f"the query needs more memory than it may use: {_first_line(message)}",
            hint="raise warehouse memory_limit, or read fewer columns or rows at a time",
            **facts,
        )
    if kind in {"interrupt"}:
        return TransientError("the query was interrupted", hint="run it again", **facts)
    if kind in {"io", "permission", "http", "connection"}:
        return SourceError(_first_line(message), file=_file_of(message), **facts)
    if kind in {"internal", "fatal"}:
        return InternalError(f"DuckDB failed: {_first_line(message)}", hint="please report it", **facts)
    return DataError(short, **facts)


def _unknown(short: str, details: dict[str, Any], asked: Asked, facts: dict[str, Any]) -> BindError:
    name, missing = details.get("name"), details.get("error_subtype")
    if name is None:
        # The engine names it in the sentence only: the place is found by that name.
        quoted = re.search(r'"([^"\n]+)"', short)
        if quoted:
            facts["name"] = quoted.group(1)
        return BindError(short, **facts)
    name = _whole_name(details, asked) or name
    facts["name"] = name
    if missing == "COLUMN_NOT_FOUND":
        candidates = [part.strip() for part in details.get("candidates", "").split(",") if part.strip()]
        hint = did_you_mean(name, candidates, all_of_them=False)  # the engine names a few that are near
        return BindError(f"there is no column {name}", hint=hint, candidates=candidates, **facts)
    if missing == "MISSING_ENTRY" and details.get("type") == "Table":
        beside = _beside(name, list(asked.names()), asked.connections)
        hint = did_you_mean(name, beside) if beside else "its connection has no tables"
        return BindError(f"there is no table {name}", hint=hint, **facts)
    if missing == "MISSING_ENTRY" and str(details.get("type", "")).endswith("Function"):
        candidates = [part.strip() for part in details.get("candidates", "").split(",") if part.strip()]
        hint = f"did you mean {candidates[0]}?" if candidates else ""
        return BindError(f"there is no function {name}", hint=hint, candidates=candidates, **facts)
    return BindError(short, **facts)


def _beside(name: str, known: list[str], connections: tuple[str, ...]) -> list[str]:
    """The names that may have been meant: of a table of a connection, or of a schema, those beside it."""
    first, dot, _ = name.casefold().partition(".")
    if dot and first in map(str.casefold, connections):
        return [one for one in known if one.casefold().partition(".")[0] == first]
    return [one for one in known if dot and one.casefold().partition(".")[0] == first] or known


def _place(details: dict[str, Any], asked: Asked) -> dict[str, Any]:
    """The 1-based line and column in the query as the caller gave it."""
    if "position" not in details:
        return {}
    before = asked.sql.encode()[: max(0, int(details["position"]) - asked.prefix)].decode(errors="ignore")
    return {"sql_line": before.count("\n") + 1, "sql_column": len(before) - (before.rfind("\n") + 1) + 1}


def _whole_name(details: dict[str, Any], asked: Asked) -> str | None:
    """The dotted name at the error's place: the engine tells only its last part."""
    if "position" not in details:
        return None
    after = asked.sql.encode()[max(0, int(details["position"]) - asked.prefix) :].decode(errors="ignore")
    found = re.match(r"""(?:\w+|"[^"]+")(?:\.(?:\w+|"[^"]+"))*""", after)
    whole = asked.clean(found.group(0).replace('"', "")) if found else ""
    return whole if whole.casefold().endswith(str(details["name"]).casefold()) else None


def _unreadable(message: str, file: str | None, line: int | None) -> SourceError:
    lines = [part.strip() for part in message.splitlines() if part.strip()]
    what = next((part for part in lines if "unicode" in part or part.startswith("Expected Number")), "")
    if not what:
        what = next((part for part in lines if "CSV Error" not in part and "Original Line" not in part), lines[0])
    what = what.split(" This file is not utf-8")[0].rstrip(".!")
    where = f"{file or 'a source file'}" + (f", line {line}" if line else "")
    hint = "mend the file, or say how to read it: FROM read_csv('FILE', ...)"
    if "unicode" in what or ("utf-8" in message.lower() and "unicode" in message.lower()):
        hint = "save the file as UTF-8, or name its encoding: read_csv('FILE', encoding = 'latin-1')"
    elif "Parquet" in message or "magic" in message:
        hint = "the file is cut or is not what its name says: fetch it again"
    return SourceError(f"{where} cannot be read: {what}", hint=hint, file=file, line=line, engine=message)


def _full(message: str, asked: Asked) -> SpaceError:
    import shutil

    free = None
    if asked.places is not None and asked.places.root.exists():
        free = shutil.disk_usage(asked.places.root).free
    left = f"; {free:,} bytes are free" if free is not None else ""
    return SpaceError(
        f"the disk is full{left}: {_first_line(message)}",
        hint="make room and run again; what was visible before still is, and `tidemill verify` shows it whole",
        free=free,
    )


def _system_error(error: OSError, asked: Asked) -> TidemillError:
    if error.errno in {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}:
        return _full(str(error), asked)
    # Streams of Arrow report the engine's errors as OSError without a number.
    if error.errno is None:
        return translate(error, asked)
    return SourceError(f"the warehouse cannot use a file: {error}", hint="check the disk and the file's permissions")


def _is_unreadable(message: str) -> bool:
    return any(sign in message for sign in _UNREADABLE)


def _file_of(message: str) -> str | None:
    found = _CSV_FILE.search(message) or _QUOTED_FILE.search(message)
    return found.group(1).strip() if found else None


def _first_line(message: str) -> str:
    return message.strip().splitlines()[0] if message.strip() else "no reason was given"


def _short(message: str) -> str:
    return re.sub(r"\s*\n\s*", " ", _NOTES.sub("", message).strip()) or "no reason was given"
