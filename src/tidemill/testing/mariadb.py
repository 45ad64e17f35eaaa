"""A MariaDB of one's own, for tests: its data in a temporary folder, on a free port, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tidemill.testing.postgresql import free_port, memory_folder

PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])


class NoMariadbError(Exception):
    """There is no server on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mariadb:
    """A running server. ``execute`` runs SQL as its owner, in one database."""

    port: int
    execute: Callable[..., str]


@contextmanager
def mariadb_server() -> Iterator[Mariadb]:
    """Start a server that only this machine reaches.

    MariaDB refuses to run as root, so root becomes the user ``mysql`` for it.
    """
    server, install, client = (shutil.which(name, path=PATH) for name in ("mariadbd", "mariadb-install-db", "mariadb"))
    if server is None or install is None or client is None:
        raise NoMariadbError("needs a MariaDB server: install the package mariadb-server")
    folder = Path(tempfile.mkdtemp(prefix="tm-my-", dir=memory_folder()))
    as_user: list[str] = []
    if os.geteuid() == 0:
        try:
            owner = pwd.getpwnam("mysql")
        except KeyError as error:
            raise NoMariadbError("needs a user named mysql, because a server cannot run as root") from error
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        as_user = ["runuser", "-u", "mysql", "--"]
    data, socket, port = folder / "data", folder / "socket", free_port()
    base = ["--no-defaults", f"--datadir={data}"]
    # A server that starts deletes the temporary tables it finds, so two must not share the folder they lie in.
    apart = {**os.environ, "TMPDIR": str(folder)}
    log = (folder / "log").open("wb")
    process: subprocess.Popen[bytes] | None = None

    def execute(sql: str, *, database: str = "") -> str:
        command = [
            str(client),
            "--no-defaults",
            f"--socket={socket}",
            "--user=root",
            "--batch",
            *filter(None, [database]),
        ]
        done = subprocess.run(command, input=sql, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    try:
        command = [*as_user, install, *base, "--auth-root-authentication-method=normal", "--skip-test-db"]
        made = subprocess.run(command, cwd=folder, env=apart, stdout=log, stderr=log, check=False)  # noqa: S603
        if made.returncode:
            raise RuntimeError(_did_not("make its tables", folder / "log"))
        fast = ["--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--innodb-buffer-pool-size=32M"]
        place = [f"--socket={socket}", f"--port={port}", "--bind-address=127.0.0.1", f"--pid-file={folder / 'pid'}"]
        command = [*as_user, server, *base, *place, *fast]
        process = subprocess.Popen(command, cwd=folder, env=apart, stdout=log, stderr=log)  # noqa: S603
        _wait(execute, process, folder / "log")
        yield Mariadb(port=port, execute=execute)
    finally:
        if process is not None:
            execute("SHUTDOWN") if process.poll() is None and socket.exists() else process.kill()
            process.wait()
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def _wait(execute: Callable[..., str], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            execute("SELECT 1")
        except RuntimeError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(_did_not("start", log)) from None
            time.sleep(0.05)
        else:
            return


def _did_not(what: str, log: Path) -> str:
    return f"MariaDB did not {what}:\n{log.read_text(errors='replace')}"
