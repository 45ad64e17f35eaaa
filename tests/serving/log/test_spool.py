"""Segments that are torn, cut or have flipped bits: every whole record is found, and the rest is told."""

from __future__ import annotations

import fcntl
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.serving.log.conftest import prediction, write

from tidemill.serving.log.records import encode, framed
from tidemill.serving.log.spool import read_segment

PAYLOADS = [encode(prediction(number, inputs=b"{}" * (3 * number))) for number in range(6)]
FRAMES = [framed(payload) for payload in PAYLOADS]
WHOLE = b"".join(FRAMES)
ENDS = [sum(map(len, FRAMES[: number + 1])) for number in range(len(FRAMES))]


def segment(data: bytes) -> Path:
    with tempfile.NamedTemporaryFile(suffix=".seg", delete=False) as file:
        file.write(data)
    return Path(file.name)


@given(st.integers(0, len(WHOLE)))
def test_a_segment_cut_anywhere_keeps_every_whole_record(cut: int) -> None:
    path = segment(WHOLE[:cut])
    try:
        chunk = read_segment(path, 0, 1 << 20)
    finally:
        path.unlink()

    assert chunk.payloads == PAYLOADS[: sum(end <= cut for end in ENDS)]
    assert chunk.end == cut
    assert [one.torn for one in chunk.damage] == ([] if cut in {0, *ENDS} else [True])


@given(st.integers(0, 8 * len(WHOLE) - 1))
def test_a_flipped_bit_costs_one_record_and_no_other(bit: int) -> None:
    data = bytearray(WHOLE)
    data[bit // 8] ^= 1 << bit % 8
    hit = sum(end <= bit // 8 for end in ENDS)
    path = segment(bytes(data))
    try:
        chunk = read_segment(path, 0, 1 << 20)
    finally:
        path.unlink()

    assert chunk.payloads == [payload for number, payload in enumerate(PAYLOADS) if number != hit]
    assert [one.data for one in chunk.damage] == [bytes(data)[ENDS[hit] - len(FRAMES[hit]) : ENDS[hit]]]
    assert chunk.damage[0].start == ENDS[hit] - len(FRAMES[hit])
    assert chunk.end == len(WHOLE)


@given(st.lists(st.sampled_from(PAYLOADS), max_size=20), st.integers(1, 4000))
def test_a_segment_is_read_in_parts_of_any_size(payloads: list[bytes], limit: int) -> None:
    path = segment(b"".join(map(framed, payloads)))
    found, place = [], 0
    try:
        while (chunk := read_segment(path, place, limit)).end > place:
            found += chunk.payloads
            place = chunk.end
    finally:
        path.unlink()

    assert found == payloads
    assert chunk.damage == []


def test_an_unfinished_record_is_left_alone_while_somebody_writes(spool: Path) -> None:
    path = write(spool, prediction(1))
    whole = path.stat().st_size
    with path.open("ab") as file:
        file.write(FRAMES[2][:30])
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        during = read_segment(path, 0, 1 << 20)
    after = read_segment(path, 0, 1 << 20)

    assert (during.end, during.damage) == (whole, [])
    assert after.end == path.stat().st_size
    assert [(one.torn, one.data) for one in after.damage] == [(True, FRAMES[2][:30])]
