"""What `tidemill doctor` looks at in a project's folder: places, locks, leases, the spool, schedules, upkeep.

Each check yields what is wrong, and nothing where all is well.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.errors import TidemillError
from tidemill.core.finding import Finding
from tidemill.core.openlineage import KEY_VARIABLE
from tidemill.core.secrets import VARIABLE
from tidemill.core.words import count

if TYPE_CHECKING:
    from tidemill.project import Project

DESCRIPTORS = 1024
WAITING_BYTES = 64 << 20
WAITING_S = 600.0
"""A spool with this much, or with records as old as this, is not being collected."""

NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph", "glusterfs", "lustre"})


def look(project: Project) -> Iterator[Finding]:
    """Everything that is wrong with a project's folder."""
    for check in CHECKS:
        yield from check(project)


def places(project: Project) -> Iterator[Finding]:
    """Folders that cannot be read or written."""
    keep = project.keep
    for folder in (keep, keep / "lake", keep / "lake" / "data", keep / "lake" / "staging", keep / "spool"):
        if folder.is_dir() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            yield Finding(
                check="folders",
                status="bad",
                detail=f"{folder} cannot be read and written by this user: nothing can be published",
                hint=f"chown or chmod it: chmod u+rwx {folder}",
            )


def shared(project: Project) -> Iterator[Finding]:
    """A lake that another project may use too."""
    if project.keep.is_symlink() or (project.keep / "lake").is_symlink():
        yield Finding(
            check="sharing",
            status="warning",
            detail=f"{project.keep} leads to {project.keep.resolve()}: projects on one lake drop each other's tables",
            hint="give each project a folder of its own, and read the other's tables through [connections.NAME]",
        )


def network(project: Project, *, mounts: str | None = None) -> Iterator[Finding]:
    """A lake on a network's file system, whose locks SQLite cannot rely on (https://sqlite.org/wal.html)."""
    text = mounts if mounts is not None else _read(Path("/proc/mounts"))
    here, best, kind = project.keep.resolve(), "", ""
    for line in text.splitlines():
        parts = line.split(" ")
        if len(parts) > 2 and here.is_relative_to(parts[1]) and len(parts[1]) >= len(best):
            best, kind = parts[1], parts[2]
    if kind in NETWORK:
        yield Finding(
            check="file system",
            status="bad",
            detail=f"{project.keep} lies on {kind} ({best}): its locks can fail, and the databases be damaged",
            hint="move the project to a local disk; a team shares runs through control_url = 'postgresql://...'",
        )


def ignored(project: Project) -> Iterator[Finding]:
    """A folder of data that git would take in."""
    git = shutil.which("git")
    if git is None or not any((folder / ".git").exists() for folder in (project.root, *project.root.parents)):
        return
    done = subprocess.run(  # noqa: S603 - git, and names of ours
        [git, "check-ignore", "-q", ".tidemill"], cwd=project.root, check=False, capture_output=True
    )
    if done.returncode == 1:
        yield Finding(
            check="git",
            status="warning",
            detail="git does not ignore .tidemill: data, models and logs would be committed",
            hint="echo .tidemill/ >> .gitignore",
        )


def descriptors(_: Project) -> Iterator[Finding]:
    """A limit on open files that a table of many files meets."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < DESCRIPTORS:
        yield Finding(
            check="open files",
            status="warning",
            detail=f"a process may open {soft} files: a table of more files, or a busy server, needs more",
            hint="ulimit -n 4096",
        )


def clock(project: Project) -> Iterator[Finding]:
    """A clock that stands before what was written already: ages and leases would be wrong."""
    newest = max((one.created_at for one in project.warehouse.upkeep.snapshots()), default=None)
    now = datetime.now(UTC)
    if newest is not None and newest > now:
        yield Finding(
            check="clock",
            status="warning",
            detail=f"the clock says {now:%Y-%m-%d %H:%M:%S} UTC, and the newest version was written at "
            f"{newest:%Y-%m-%d %H:%M:%S}: leases and grace periods go by the clock",
            hint="set the clock, for instance with timedatectl set-ntp true",
        )


def locks(project: Project) -> Iterator[Finding]:
    """Who holds the writer's lock."""
    from tidemill.warehouse.duckdb.locks import claim

    path = project.keep / "lake" / "write.lock"
    if not path.exists():
        return
    handle = claim(path)
    if handle is not None:
        os.close(handle)
        return
    try:
        holder = json.loads(path.read_text())
        who = f"process {holder['pid']} since {holder['since']}"
    except (OSError, ValueError, TypeError, KeyError):
        who = "another process"
    yield Finding(
        check="writer's lock",
        status="warning",
        detail=f"the lake is being written by {who}; others wait",
        hint="wait; a commit takes a second. Where it takes longer, look at that process",
    )


def leases(project: Project) -> Iterator[Finding]:
    """Leases that were never let go of by processes that are gone."""
    from tidemill.warehouse.control.leases import current

    with project.db.read() as tx:
        names = [row["name"] for row in tx.rows("SELECT name FROM leases WHERE released = 0 ORDER BY name")]
        stale = [name for name in names if current(tx, name) is None]
    if stale:
        yield Finding(
            check="leases",
            status="warning",
            detail=f"left by processes that are gone: {', '.join(stale)}; whoever comes next takes them over",
            hint="tidemill run" if "run" in stale else "nothing needs to be done",
        )


def control(project: Project) -> Iterator[Finding]:
    """A control database that is damaged."""
    for problem in project.db.problems()[:3]:
        yield Finding(
            check="control database",
            status="bad",
            detail=f"it is damaged: {problem}",
            hint="put back a backup of .tidemill/control.sqlite; tables and models are kept apart",
        )


def catalogue(project: Project) -> Iterator[Finding]:
    """Snapshots whose files are gone or cut, files without a digest, and damage to the catalogue itself."""
    problems = project.warehouse.verify(digests=False)
    for problem in problems[:3]:
        yield Finding(
            check="lake's files",
            status="bad",
            detail=f"{problem.what}: {problem.object}: {problem.detail}",
            hint="put the file back from a backup, or tidemill run --full-refresh; tidemill verify lists all damage",
        )
    if len(problems) > 3:
        yield Finding(
            check="lake's files", status="bad", detail=f"{len(problems) - 3:,} more", hint="tidemill verify lists all"
        )


def variables(project: Project) -> Iterator[Finding]:
    """Environment variables that settings take something from and that are not set."""
    wanted = [
        (f"connections.{name}.{entry}", variable)
        for name, connection in project.settings.connections.items()
        for entry in (field.name for field in fields(connection))
        for variable in VARIABLE.findall(str(getattr(connection, entry)))
    ]
    telling = project.settings.openlineage
    if telling.url and telling.api_key_variable != KEY_VARIABLE:
        wanted.append(("openlineage.api_key_variable", telling.api_key_variable))
    for setting, variable in wanted:
        if variable not in os.environ:
            yield Finding(
                check="environment",
                status="bad",
                detail=f"{setting} takes {variable}, and there is no such variable in the environment",
                hint=f"export {variable}=...",
            )


def spool(project: Project) -> Iterator[Finding]:
    """Records of the prediction log that nobody carries into the lake."""
    from tidemill.serving.log.collect import Collector
    from tidemill.serving.log.spool import segments
    from tidemill.warehouse.control.leases import current

    folder = project.keep / "spool"
    there = segments(folder) if folder.is_dir() else {}
    if not there or current(project.db, "collector") is not None:
        return
    collector = Collector(project.warehouse, folder, clock=project.clock, guard=lambda: None)
    waiting = collector.waiting()
    age = project.clock.now().timestamp() - min((folder / name).stat().st_mtime for name in there)
    if waiting and (waiting >= WAITING_BYTES or age >= WAITING_S):
        yield Finding(
            check="prediction log",
            status="warning",
            detail=f"{waiting:,} bytes wait in the spool since {age / 60:,.0f} minutes and nobody collects them",
            hint="tidemill collect --once",
        )


def upkeep(project: Project) -> Iterator[Finding]:
    """Files and snapshots that maintain would take away."""
    done = project.maintain(dry_run=True)
    acts = [act for act in done.acts if not act.waits]
    if acts:
        what = "; ".join(f"{act.action} {act.object}: {act.detail}" for act in acts)
        yield Finding(check="upkeep", status="warning", detail=f"there is work: {what}", hint="tidemill maintain")


def erasures(project: Project) -> Iterator[Finding]:
    """Erasures that are not proved in the time that was promised, and those of a backup that was put back."""
    from tidemill.runner.erasure_book import require_ledger, restored_entries, site_of, unbegun_entries

    now = project.clock.now()
    late = [one for one in project.erasures() if one.status == "open" and one.due_at < now]
    for one in late:
        yield Finding(
            check="erasures",
            status="bad",
            detail=f"erasure {one.number} is due since {one.due_at:%Y-%m-%d}: {'; '.join(one.waiting) or 'not begun'}",
            hint="tidemill maintain ends it; tidemill erase --now waits for nobody who is reading",
        )
    site = site_of(project)
    try:
        require_ledger(site)
    except TidemillError as error:
        yield Finding(check="erasures", status="bad", detail=error.message, hint=error.hint)
        return
    again = restored_entries(site)
    unbegun = [entry for entry in unbegun_entries(site) if entry not in again]
    if unbegun:
        yield Finding(
            check="erasures",
            status="warning",
            detail=f"{count(len(unbegun), 'erasure')} asked for, of which no row is out yet",
            hint="tidemill maintain carries it out, and so do run and serve before they begin",
        )
    if again:
        yield Finding(
            check="erasures",
            status="bad",
            detail=f"a backup brought back whom {count(len(again), 'erasure')} of the ledger took out",
            hint="tidemill maintain takes them out again, and so do run and serve before they begin",
        )


def scheduler(project: Project) -> Iterator[Finding]:
    """Schedules that are due, and that no scheduler comes to."""
    for one in project.overview()["schedules"]:
        if one["overdue"]:
            yield Finding(
                check="schedules",
                status="warning",
                detail=f"{one['schedule']} is due since {one['next']}, and no scheduler has come to it",
                hint="tidemill schedule, or tidemill up, which brings it along",
            )


def selects(project: Project) -> Iterator[Finding]:
    """Schedules that name what is not there."""
    from tidemill.runner.schedule_selects import wrong_selects

    settings = project.settings
    schedules = settings.schedules.values()
    for error in wrong_selects(schedules, project.statements, settings.deployments, project.db):
        yield Finding(check="schedules", status="bad", detail=error.placed, hint=error.hint)


CHECKS: tuple[Callable[[Project], Iterator[Finding]], ...] = (
    places,
    shared,
    network,
    ignored,
    descriptors,
    clock,
    locks,
    leases,
    control,
    catalogue,
    variables,
    spool,
    scheduler,
    upkeep,
    erasures,
    selects,
)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
