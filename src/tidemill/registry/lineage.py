"""What a model version was made from, as plain data: kept in its row, read back by whoever looks, compares or replays.

``Lineage.as_json`` is what `registry.versions.register` is given; ``read_lineage`` reads any row, also one that an
older Tidemill wrote: what was not recorded then is empty, and `Lineage.pinned` says whether it can be read again.
"""

from __future__ import annotations

import functools
import hashlib
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from tidemill.core.version import VERSION

PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What a version was made from, by whom and why.

    Parameters
    ----------
    statement, dialect, file, line
        The CREATE MODEL statement to the letter, and where it stood.
    snapshot
        The snapshot of the warehouse that training read; None where nothing was published yet.
    tables
        Each table it read, also through views, and the version that had last changed it.
    views
        Each view it read: the query behind it and that query's dialect, as they were then.
    models
        Each model whose predictions it read, by `name_of` what the query said, and the version.
    files
        Each pattern of files that the query itself reads: path, as seen from the project, to SHA-256.
    sources
        Each table of a connection that the query itself reads, and the token that the plan had for it.
    reads
        What the plan compared, by name (`planner.plan.Step.reads`).
    previous
        The version that WARM_START began from.
    code_version, code_digest
        Tidemill's version, and a digest of its own source.
    who, why
        Who ran it, and the plan's reason.
    pinned
        Whether the snapshot and what goes with it were recorded.
    """

    statement: str = ""
    dialect: str = "duckdb"
    file: str = ""
    line: int = 0
    snapshot: int | None = None
    tables: Mapping[str, int] = field(default_factory=dict)
    views: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    models: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    reads: Mapping[str, str] = field(default_factory=dict)
    previous: int | None = None
    seed: int | None = None
    threads: int | None = None
    code_version: str = ""
    code_digest: str = ""
    libraries: Mapping[str, str] = field(default_factory=dict)
    who: str = ""
    why: str = ""
    run_id: str = ""
    step: str = ""
    pinned: bool = True

    def as_json(self) -> dict[str, Any]:
        """Plain data for the row."""
        plain = asdict(self)
        del plain["pinned"]
        return plain


def read_lineage(raw: Mapping[str, Any]) -> Lineage:
    """Read the lineage of a row; names this version does not know are passed over."""
    known = {one.name for one in fields(Lineage)} - {"pinned"}
    return Lineage(**{name: value for name, value in raw.items() if name in known}, pinned="snapshot" in raw)


def name_of(model: str, alias: str | None) -> str:
    """How a model is named in ``models``: ``name``, or ``name@alias`` where the query named an alias."""
    return f"{model}@{alias}" if alias else model


def made_with(engine: Mapping[str, Any], libraries: Mapping[str, str]) -> dict[str, str]:
    """Versions of everything that can change what a training gives.

    Parameters
    ----------
    engine
        What the warehouse says of itself (`warehouse.protocol.Warehouse.describe`).
    libraries
        Versions of the libraries behind a model (`training.artifact.library_versions`).
    """
    name = str(engine.get("engine", ""))
    own = {part: str(engine[part]) for part in (name, "ducklake") if part and part in engine}
    return dict(sorted({"python": platform.python_version(), "tidemill": VERSION, **libraries, **own}.items()))


@functools.cache
def source_digest() -> str:
    """SHA-256 over Tidemill's own source files and their names; read once in a process."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
