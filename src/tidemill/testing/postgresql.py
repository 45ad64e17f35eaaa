"""A PostgreSQL of one's own, for tests: its own cluster in a temporary folder, on a free port, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "tidemill"


class NoPostgresqlError(Exception):
    """There are no server binaries on this machine."""


def find_binaries() -> Path:
    """Folder of the newest ``initdb`` and ``pg_ctl`` on this machine.

    Raises
    ------
    NoPostgresqlError
        There are none.
    """
    packaged = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]), reverse=True
    )
    for initdb in [*packaged, *(Path(found) for found in [shutil.which("initdb")] if found)]:
        if (initdb.parent / "pg_ctl").exists():
            return initdb.parent
    raise NoPostgresqlError("needs a PostgreSQL server: install the package postgresql (initdb and pg_ctl)")


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Start a cluster; gives the URL of its database. Members of a role ``with_password`` are asked for theirs.

    PostgreSQL refuses to run as root, so root becomes the user ``postgres`` for it.
    """
    binaries = find_binaries()
    folder = Path(tempfile.mkdtemp(prefix="tm-pg-", dir=memory_folder()))
    as_user: list[str] = []
    if os.geteuid() == 0:
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError as error:
            raise NoPostgresqlError("needs a user named postgres, because a server cannot run as root") from error
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        as_user = ["runuser", "-u", "postgres", "--"]
    data, port = folder / "data", free_port()
    options = (
        f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c autovacuum=off -c max_connections=64"
    )
    control = [*as_user, str(binaries / "pg_ctl"), "-D", str(data), "-w", "-t", "60"]
    try:
        _run([*as_user, str(binaries / "initdb"), "-D", str(data), "-U", USER, "-A", "trust", "-N"], folder)
        _ask_for_passwords(data / "pg_hba.conf")
        _run([*control, "-l", str(folder / "log"), "-o", options, "start"], folder)
        try:
            yield f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        finally:
            _run([*control, "-m", "immediate", "stop"], folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ask_for_passwords(rules: Path) -> None:
    """Let members of the role ``with_password`` show theirs; others are trusted."""
    rules.write_text(f"host all +with_password 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")


def _run(command: list[str], folder: Path) -> None:
    # No pipes: the server would inherit them and keep them open.
    with (folder / f"{Path(command[-1]).name}-output").open("wb") as output:
        done = subprocess.run(command, cwd=folder, stdout=output, stderr=output, check=False)  # noqa: S603
    if done.returncode:
        said = "\n".join(path.read_text(errors="replace") for path in sorted(folder.glob("*output")))
        raise RuntimeError(f"{' '.join(command)} failed:\n{said}")


def memory_folder() -> str | None:
    """Give a folder in memory when there is one with room: a test's cluster need not survive anything."""
    folder = Path("/dev/shm")  # noqa: S108 (the folder inside it is made by mkdtemp)
    if os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > 1 << 30:
        return str(folder)
    return None


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
