"""What is known when a plan is made: what exists, files, sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tidemill.core.connections import ConnectionSettings
from tidemill.planner.known import Known

# The token of a path pattern that no file matches.
MISSING_FILES = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """A table of a connection as a plan finds it.

    Parameters
    ----------
    token
        The same text as the last time says that its rows are the same.
    said
        What another text means, in words that follow the table's name.
    whole
        A sentence in place of the name and those words: one for all tables of a connection.
    missing
        Why there is no such table; '' where there is one, or nobody looked.
    hint
        What may have been meant.
    """

    token: str
    said: str = "changed"
    whole: str = ""
    missing: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the planner knows of the world.

    Parameters
    ----------
    known
        Recorded assets by key.
    lake_tables
        Tables in the lake by key, with the version that last changed each.
    file_tokens
        For each path pattern that is read, a digest of the files behind it.
    connections
        The project's connections by name.
    sources
        For each table of a connection that is read, how it is found.
    remote_files
        For each path pattern that names files of other machines, how they are found.
    model_versions
        The algorithm version of each model type.
    log
        For each relation of the prediction log that is read, by key, a token of what it holds.
    """

    known: Mapping[str, Known] = field(default_factory=dict)
    lake_tables: Mapping[str, int] = field(default_factory=dict)
    file_tokens: Mapping[str, str] = field(default_factory=dict)
    connections: Mapping[str, ConnectionSettings] = field(default_factory=dict)
    sources: Mapping[str, SourceState] = field(default_factory=dict)
    remote_files: Mapping[str, SourceState] = field(default_factory=dict)
    model_versions: Callable[[str], int] = lambda _: 1
    log: Mapping[str, str] = field(default_factory=dict)
