"""Is this machine, and this project, fit to work? Each check is a function; each finding says what to do."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tidemill.core.connections import kind_of
from tidemill.core.errors import SettingsError, TidemillError
from tidemill.core.finding import Finding
from tidemill.core.settings import SETTINGS
from tidemill.doctor_project import CHECKS
from tidemill.project import Project, open_project
from tidemill.warehouse.duckdb.lake import open_lake

PACKAGES = (
    *("duckdb", "duckdb-extension-ducklake", "duckdb-extension-sqlite-scanner", "sqlglot", "pyarrow", "numpy"),
    *("xgboost-cpu", "onnx", "onnxruntime"),
)
FREE_BYTES = 2 << 30


def examine(folder: Path) -> Iterator[Finding]:
    """Look at the machine, then at the project in a folder, if there is one; each finding comes as it is made."""
    yield _python()
    packages = list(_packages())
    yield from packages
    if all(one.status == "ok" for one in packages):
        yield _guarded("engine", _engine)
    yield _space(folder)
    yield _variables()
    try:
        project = open_project(folder)
    except SettingsError as error:
        wrong = "has no" not in error.message
        yield Finding(
            check="project", status="bad" if wrong else "warning", detail=error.message, hint=error.hint or "mend it"
        )
        return
    with project:
        yield Finding(check="project", status="ok", detail=f"{project.settings.name} in {project.root}")
        yield _guarded("control database", lambda: _control(project))
        yield _guarded("statements", lambda: _statements(project))
        yield _guarded("lake", lambda: _lake(project))
        for name in project.settings.connections:
            yield _guarded(f"connection {name}", partial(_connection, project, name))
        for check in CHECKS:
            try:
                yield from check(project)
            except TidemillError as error:
                yield Finding(check=check.__name__, status="bad", detail=error.message, hint=error.hint)


def _guarded(check: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except TidemillError as error:
        # A plan is refused for settings too: the statements are well then.
        about = "settings" if isinstance(error, SettingsError) else check
        return Finding(check=about, status="bad", detail=error.placed, hint=error.hint)


def _python() -> Finding:
    said = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return Finding(check="python", status="ok", detail=f"{said}, SQLite {sqlite3.sqlite_version}")


def _packages() -> Iterator[Finding]:
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        hint = "install tidemill again: pip install --force-reinstall tidemill"
        yield Finding(check="packages", status="bad", detail=f"missing: {', '.join(missing)}", hint=hint)
    else:
        yield Finding(check="packages", status="ok", detail=", ".join(found))


def _engine() -> Finding:
    """Publish nothing, but open a lake with its extensions and read from it."""
    with tempfile.TemporaryDirectory(prefix="tidemill-doctor-") as scratch:
        lake = open_lake(Path(scratch), search_path=Path(scratch))
        try:
            with lake.session() as session:
                session.query("SELECT 1").read_all()
            said = ", ".join(f"{name} {value}" for name, value in lake.describe().items() if isinstance(value, str))
        finally:
            lake.close()
    return Finding(check="engine", status="ok", detail=said)


def _space(folder: Path) -> Finding:
    there = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.is_dir())
    usage = shutil.disk_usage(there)
    said = f"{usage.free / 1e9:.1f} GB of {usage.total / 1e9:.1f} GB free in {there}"
    if not os.access(there, os.W_OK):
        return Finding(check="disk", status="bad", detail=f"{there} cannot be written", hint="change its owner or mode")
    if usage.free < FREE_BYTES:
        return Finding(
            check="disk", status="warning", detail=said, hint="make room: a table is staged before it is seen"
        )
    return Finding(check="disk", status="ok", detail=said)


def _variables() -> Finding:
    known = {f"TIDEMILL_{setting.name.upper()}" for setting in SETTINGS} | {"TIDEMILL_PROJECT"}
    given = sorted(name for name in os.environ if name.startswith("TIDEMILL_"))
    strange = [name for name in given if name not in known]
    if strange:
        return Finding(
            check="environment",
            status="warning",
            detail=f"unknown variables: {', '.join(strange)}",
            hint=f"settings are set with {', '.join(sorted(known)[:3])} and so on",
        )
    return Finding(check="environment", status="ok", detail=", ".join(given) or "no TIDEMILL_ variables are set")


def _control(project: Project) -> Finding:
    models = len(project.models())
    kind = "PostgreSQL" if project.settings.control_url.startswith("postgres") else "SQLite"
    return Finding(check="control database", status="ok", detail=f"{kind}, {models} model{'s' * (models != 1)}")


def _statements(project: Project) -> Finding:
    plan = project.plan()
    if not plan.steps:
        hint = "write one, or begin with tidemill init DIR --from FILE --predict COLUMN"
        return Finding(check="statements", status="warning", detail=f"none in {project.root / 'sql'}", hint=hint)
    said = f"{len(plan.steps)} read well, {len(plan.work)} to do"
    return Finding(check="statements", status="ok", detail=said)


def _connection(project: Project, name: str) -> Finding:
    """Reach a database and list its tables, or storage and list its files."""
    settings = project.settings.connections[name]
    if kind_of(settings).tables:
        count, what = len(project.warehouse.source_tables(name)), "table"
    else:
        count, what = len(project.warehouse.remote_files(f"{settings.url.rstrip('/')}/*")), "file"
    return Finding(
        check=f"connection {name}", status="ok", detail=f"{settings.kind}, {count} {what}{'s' * (count != 1)}"
    )


def _lake(project: Project) -> Finding:
    tables = project.warehouse.tables()
    return Finding(check="lake", status="ok", detail=f"{len(tables)} table{'s' * (len(tables) != 1)}")
