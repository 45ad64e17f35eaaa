"""Digests: SHA-256 over bytes, files and plain data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

# One core hashes about 1 GB/s. Ten million CSV rows of 2 GB waited two seconds for one core before a step could start.
_PART = 2**26
_BLOCK = 2**20


def digest_bytes(data: bytes) -> str:
    """Hexadecimal SHA-256 of some bytes."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read once."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_inputs(files: Sequence[tuple[Path, int]], *, threads: int) -> list[str]:
    """Hexadecimal digests of files of known sizes in bytes, worked on side by side.

    A file of up to 64 MiB has the digest of `digest_file`; a larger one the SHA-256 of the SHA-256s of its parts of
    64 MiB, written one after the other, so that several threads share the work on one file.
    """
    parts = [(path, start) for path, size in files for start in range(0, max(size, 1), _PART)]
    if len(parts) > 1 and threads > 1 and sum(size for _, size in files) >= _BLOCK:
        with ThreadPoolExecutor(max_workers=min(threads, len(parts))) as pool:
            hashed = pool.map(_digest_part, parts)
    else:
        hashed = map(_digest_part, parts)
    found: dict[Path, list[bytes]] = {path: [] for path, _ in files}
    for (path, _), digest in zip(parts, hashed, strict=True):
        found[path].append(digest)
    return [(one[0].hex() if len(one) == 1 else digest_bytes(b"".join(one))) for one in found.values()]


def _digest_part(part: tuple[Path, int]) -> bytes:
    path, start = part
    digest = hashlib.sha256()
    block = memoryview(bytearray(_BLOCK))
    left = _PART
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while left and (count := file.readinto(block[:left])):
            digest.update(block[:count])
            left -= count
    return digest.digest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spare blanks: equal values give equal text, whatever the hash seed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_value(value: Any) -> str:
    """Hexadecimal SHA-256 of plain data (dicts, lists, strings, numbers)."""
    return digest_bytes(canonical_json(value).encode())
