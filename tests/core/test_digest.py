"""Files are known by what is in them, however many threads read them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tidemill.core.digest import digest_file, digest_inputs

PART = 64 * 2**20


def test_a_file_of_one_part_has_its_sha256(tmp_path: Path) -> None:
    files = {"empty": b"", "small": b"a,b\n1,2\n", "block": b"x" * 2**20, "odd": b"y" * (2**20 + 1)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)

    found = digest_inputs([(tmp_path / name, len(data)) for name, data in files.items()], threads=2)

    assert found == [digest_file(tmp_path / name) for name in files]


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_larger_file_has_the_sha256_of_the_digests_of_its_parts(tmp_path: Path, beyond: int) -> None:
    data = bytes(range(256)) * (PART // 256) + b"!" * beyond
    (tmp_path / "large").write_bytes(data)

    (found,) = digest_inputs([(tmp_path / "large", len(data))], threads=2)

    parts = [data[start : start + PART] for start in range(0, len(data), PART)]
    digests = [hashlib.sha256(part).digest() for part in parts]
    assert found == (digests[0].hex() if beyond == 0 else hashlib.sha256(b"".join(digests)).hexdigest())


def test_files_keep_their_order_and_threads_change_nothing(tmp_path: Path) -> None:
    files = []
    for number in range(5):
        path = tmp_path / f"{number}"
        path.write_bytes(bytes([number]) * (number * 2**19))
        files.append((path, path.stat().st_size))

    assert (
        digest_inputs(files, threads=4) == digest_inputs(files, threads=1) == [digest_file(path) for path, _ in files]
    )
