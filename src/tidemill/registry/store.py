"""A content store: each file lies under its SHA-256, is durable before it is named, and is checked before it is read.

``artifacts/sha256/ab/cdef...``: a file is written beside the store, fsynced, renamed into its place, and the folder is
fsynced. A name that exists is complete; what a killed process leaves is a temporary file, or a file nobody names,
and both go with `ArtifactStore.sweep`.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tidemill.core.digest import digest_bytes, digest_file
from tidemill.core.errors import CorruptError, InternalError, SpaceError, StateError
from tidemill.core.faults import fault

_DIGEST = re.compile(r"[0-9a-f]{64}")
MEND = "tidemill verify lists what is damaged; train the model again, or put the file back from a copy"


class ArtifactStore:
    """Files by digest, in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files = root / "sha256"
        self._temporary = root / "tmp"

    def path(self, sha256: str) -> Path:
        """Where the file with this digest lies, or would lie."""
        if not _DIGEST.fullmatch(sha256):
            raise InternalError(f"{sha256!r} is not a SHA-256 in hexadecimal")
        return self._files / sha256[:2] / sha256[2:]

    def put(self, files: Mapping[str, bytes]) -> dict[str, str]:
        """Keep some files; returns the digest of each by name. When it returns, they survive a power loss.

        Raises
        ------
        SpaceError
            The disk is full; what was written of these files is taken away again.
        """
        digests = {name: digest_bytes(data) for name, data in files.items()}
        temporary: list[Path] = []
        try:
            self._put_new({digests[name]: data for name, data in files.items()}, temporary)
        except OSError as error:
            raise self._translate(error, needed=sum(map(len, files.values()))) from error
        finally:
            for path in temporary:
                with suppress(OSError):
                    path.unlink(missing_ok=True)
        return digests

    def read(self, sha256: str, *, name: str = "") -> bytes:
        """Give a file's bytes, once its digest was checked.

        Raises
        ------
        CorruptError
            The file is missing, or is not what was written.
        """
        path = self.path(sha256)
        shown = f"{name} ({path})" if name else str(path)
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise CorruptError(f"the file {shown} is missing", hint=MEND, file=str(path), name=name) from error
        except OSError as error:
            raise StateError(
                f"the file {shown} cannot be read: {error.strerror}",
                hint="check the disk, and the owner and the permissions of the file",
            ) from error
        found = digest_bytes(data)
        if found != sha256:
            raise CorruptError(
                f"the file {shown} is not what was written: its digest differs",
                hint=MEND,
                file=str(path),
                name=name,
                expected=sha256,
                found=found,
            )
        return data

    def problem(self, sha256: str, *, size: int) -> str:
        """What is wrong with a file, in words; empty when it is what was written. Reads it in pieces."""
        path = self.path(sha256)
        try:
            found = path.stat().st_size
            if found != size:
                return f"{path} has {found:,} bytes instead of {size:,}"
            if digest_file(path) != sha256:
                return f"{path} is not what was written: its digest differs"
        except FileNotFoundError:
            return f"{path} is missing"
        except OSError as error:
            return f"{path} cannot be read: {error.strerror}"
        return ""

    def has(self, sha256: str) -> bool:
        """Whether a file of this digest is there (it is not read)."""
        return self.path(sha256).is_file()

    def sweep(self, keep: Iterable[str], *, older_than_s: float, now_s: float) -> list[str]:
        """Remove files that nothing names and that have not been touched for a while; returns their paths."""
        kept = {self.path(sha256) for sha256 in keep}
        removed = []
        for path in sorted([*self._files.glob("??/*"), *self._temporary.glob("*")]):
            if path in kept:
                continue
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < now_s - older_than_s:
                    path.unlink()
                    removed.append(str(path))
        return removed

    def _put_new(self, contents: Mapping[str, bytes], temporary: list[Path]) -> None:
        """Write what is not there yet: all files first, then all names, then all folders."""
        wanted = [sha256 for sha256 in contents if not self._reuse(sha256)]
        if not wanted:
            return
        for folder in (self._files, self._temporary):
            _make_folder(folder)
        fault("artifact.before_write")
        moves = []
        for sha256 in wanted:
            path = self._temporary / f"{sha256}.{os.getpid()}.{os.urandom(4).hex()}"
            temporary.append(path)
            _write(path, contents[sha256])
            moves.append((path, self.path(sha256)))
        _sync([source for source, _ in moves])
        fault("artifact.before_rename")
        new = {target.parent for _, target in moves if not target.parent.is_dir()}
        for folder in new:
            folder.mkdir(exist_ok=True)
        for source, target in moves:
            source.replace(target)
        if new:
            _sync([self._files])
        _sync(sorted({target.parent for _, target in moves}))
        fault("artifact.written")

    def _reuse(self, sha256: str) -> bool:
        """Whether the file is there and whole; touching it keeps a sweep away until its row is written."""
        path = self.path(sha256)
        try:
            if digest_file(path) != sha256:
                return False
            os.utime(path)
        except FileNotFoundError:
            return False
        return True

    def _translate(self, error: OSError, *, needed: int) -> StateError | SpaceError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = _free(self.root)
            return SpaceError(
                f"the disk is full: a model needs {needed:,} bytes under {self.root}, {free:,} are free",
                hint="free some space and run again: no version was registered",
                needed=needed,
                free=free,
            )
        return StateError(
            f"{error.filename or self.root} cannot be written: {error.strerror}",
            hint=f"check the disk, and the owner and the permissions of {self.root}",
        )


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        fault("artifact.during_write")


def _make_folder(folder: Path) -> None:
    """Make a folder, and make its name durable."""
    if folder.is_dir():
        return
    if not folder.parent.is_dir():
        _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync([folder.parent])


def _sync(paths: Sequence[Path]) -> None:
    """Make files or folders durable, side by side: the file system then writes its journal once for several."""
    from concurrent.futures import ThreadPoolExecutor  # only a registration needs it

    if len(paths) == 1:
        _sync_one(paths[0])
        return
    with ThreadPoolExecutor(max_workers=min(8, len(paths) or 1)) as workers:
        for _ in workers.map(_sync_one, paths):
            pass  # an error of any of them is raised here


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _free(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        room = os.statvfs(folder)
    except OSError:
        return 0
    return room.f_bavail * room.f_frsize
