"""What a container runs: ``python -m tidemill.export.start``. It makes the volume ready, and becomes the server.

The image is read-only. The control database, the boards and the prediction log lie in the volume; model files are
read from the image. When a newer image meets an older volume, its version is added to the volume's database and
becomes champion there: the log and the audit trail go on.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from tidemill.core.clock import Clock
from tidemill.core.errors import SettingsError, TidemillError
from tidemill.core.settings import SETTINGS_FILE
from tidemill.core.who import current_user

BUNDLE, STATE = "/opt/tidemill/bundle", "/data"
DEFAULT_PORT = 8080


def main(environment: Mapping[str, str] = os.environ) -> NoReturn:
    """Make ready, and become ``tidemill serve``."""
    from tidemill.export.bundle import BUNDLE_ID

    try:
        bundle = Path(environment.get("TIDEMILL_BUNDLE", BUNDLE))
        if not (bundle / BUNDLE_ID).is_file():
            raise SettingsError(f"there is no bundle in {bundle}", hint="tidemill export docker NAME makes one")
        project = prepare(bundle, Path(environment.get("TIDEMILL_STATE", STATE)), clock=Clock())
        command = serve_command(project, environment)
    except TidemillError as error:
        sys.stderr.write(f"{error.render()}\n")
        sys.exit(error.exit_status)
    os.execv(command[0], command)  # noqa: S606 - signals reach the server itself


def serve_command(project: Path, environment: Mapping[str, str]) -> list[str]:
    """The server's command line, as the container's environment says."""
    port = _number(environment, "PORT", DEFAULT_PORT, low=0, high=65535)
    workers = _number(environment, "TIDEMILL_WORKERS", 1, low=1, high=64)
    hosts = [name.strip() for name in environment.get("TIDEMILL_ALLOW_HOSTS", "").split(",") if name.strip()]
    certificate = environment.get("TIDEMILL_CERTFILE", "")
    secure = (
        ["--certfile", certificate, "--keyfile", environment.get("TIDEMILL_KEYFILE", "")]
        if certificate
        else ["--behind-proxy"]
    )
    return [
        *(sys.executable, "-m", "tidemill.cli.main", "serve"),
        *("--project", str(project), "--host", "0.0.0.0"),  # noqa: S104 - of the container
        *("--port", str(port), "--workers", str(workers), "--json", *secure),
        *(part for name in hosts for part in ("--allow-host", name)),
    ]


def _number(environment: Mapping[str, str], name: str, default: int, *, low: int, high: int) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return default
    if not text.isdecimal() or not low <= int(text) <= high:
        raise SettingsError(f"{name} is {text!r}: it takes a whole number from {low} to {high}")
    return int(text)


def prepare(bundle: Path, state: Path, *, clock: Clock) -> Path:
    """Make a volume ready to serve a bundle; returns the project's folder in it.

    Raises
    ------
    StateError
        The volume belongs to another project.
    """
    from tidemill.export.bundle import BUNDLE_ID

    root = state / "project"
    keep = root / ".tidemill"
    try:
        keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"{state} cannot be written: {error.strerror}", hint="mount a volume there that this user may write"
        ) from None
    here, there = bundle / BUNDLE_ID, root / BUNDLE_ID
    _put(bundle / SETTINGS_FILE, root / SETTINGS_FILE)
    _link(bundle / ".tidemill" / "artifacts", keep / "artifacts")
    if not there.exists() or there.read_text(encoding="utf-8") != here.read_text(encoding="utf-8"):
        database = keep / "control.sqlite"
        if database.exists():
            _merge(bundle, keep, clock=clock)
        else:
            _put(bundle / ".tidemill" / "control.sqlite", database)
        _put(here, there)  # last: what stands here is done
    return root


def _merge(bundle: Path, keep: Path, *, clock: Clock) -> None:
    """Add the bundle's version to a volume's database, and let it answer."""
    from tidemill.export.bundle import put_champion, read_rows, write_rows
    from tidemill.warehouse.control.database import open_database, sqlite_url
    from tidemill.warehouse.control.deployments import list_deployments
    from tidemill.warehouse.control.models import get_version

    copy = keep / "bundle.sqlite"  # the image's own file can be read, but not opened: SQLite writes beside it
    _put(bundle / ".tidemill" / "control.sqlite", copy)
    shipped, ours = (open_database(sqlite_url(path), clock=clock) for path in (copy, keep / "control.sqlite"))
    try:
        (deployment,) = list_deployments(shipped)
        version = get_version(shipped, deployment.model, deployment.champion)
        rows = read_rows(shipped, version)
        with ours.write() as tx:
            write_rows(tx, version, rows)
            put_champion(tx, deployment.name, version, who=current_user(), why="a new image")
    finally:
        shipped.close()
        ours.close()
        for path in keep.glob("bundle.sqlite*"):
            path.unlink()


def _put(source: Path, target: Path) -> None:
    """Copy a file so that it appears whole."""
    partial = target.with_name(f"{target.name}.new")
    shutil.copyfile(source, partial)
    partial.replace(target)


def _link(source: Path, target: Path) -> None:
    if target.is_symlink() and target.readlink() == source:
        return
    partial = target.with_name(f"{target.name}.new")
    partial.unlink(missing_ok=True)
    partial.symlink_to(source)
    partial.replace(target)


if __name__ == "__main__":
    main()
