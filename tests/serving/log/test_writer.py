"""Appending: what was acknowledged is kept, full disks are survived, and one fsync serves many."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.serving.log.conftest import Child, killed_after, prediction, start_server, write

from tidemill.core.clock import Clock
from tidemill.core.errors import SpaceError, TransientError
from tidemill.serving.log.records import decode, encode
from tidemill.serving.log.spool import is_closed, read_segment, segments
from tidemill.serving.log.writer import LogWriter


def numbers(spool: Path) -> list[int]:
    """The requests in a spool, by number."""
    found = []
    for name in segments(spool):
        chunk = read_segment(spool / name, 0, 1 << 20)
        found += [int(decode(payload).id[1:]) for payload in chunk.payloads]
    return found


@pytest.fixture
def writer(spool: Path) -> Iterator[LogWriter]:
    with closing(LogWriter(spool, worker="w0", clock=Clock())) as opened:
        yield opened


def test_a_record_is_read_back_as_it_was_written(spool: Path) -> None:
    path = write(spool, prediction(7))

    chunk = read_segment(path, 0, 1 << 20)

    assert [decode(payload) for payload in chunk.payloads] == [prediction(7)]
    assert chunk.end == path.stat().st_size
    assert chunk.damage == []


def test_a_segment_that_is_full_is_followed_by_the_next(spool: Path) -> None:
    one = len(encode(prediction(1))) + 16
    with closing(LogWriter(spool, worker="w0", clock=Clock(), segment_bytes=3 * one)) as writer:
        for number in range(10):
            writer.append(encode(prediction(number)))

    assert [size // one for size in segments(spool).values()] == [3, 3, 3, 1]
    assert numbers(spool) == list(range(10))


def test_a_record_larger_than_a_segment_has_one_for_itself(spool: Path) -> None:
    with closing(LogWriter(spool, worker="w0", clock=Clock(), segment_bytes=1000)) as writer:
        for number in (1, 2):
            writer.append(encode(prediction(number, inputs=b" " * 5000)))

    assert len(segments(spool)) == 2
    # A reader asks for more bytes until it has a whole record.
    assert len(read_segment(next(spool.glob("*.seg")), 0, 100).payloads) == 1


def test_two_starts_of_one_worker_share_no_segment(spool: Path) -> None:
    with (
        closing(LogWriter(spool, worker="w0", clock=Clock())) as one,
        closing(LogWriter(spool, worker="w0", clock=Clock(new_id=lambda: "same"))) as two,
        closing(LogWriter(spool, worker="w0", clock=Clock(new_id=lambda: "same"))) as three,
    ):
        for writer in (one, two, three):
            writer.append(encode(prediction(1)))

    assert len(segments(spool)) == 3


def test_a_segment_is_open_until_its_writer_ends(spool: Path, writer: LogWriter) -> None:
    writer.append(encode(prediction(1)))
    path = next(spool.glob("*.seg"))

    assert not is_closed(path)
    writer.close()
    assert is_closed(path)


def test_a_killed_server_loses_nothing_it_has_answered(tmp_path: Path, spool: Path) -> None:
    server = start_server(tmp_path)
    acknowledged = killed_after(server, 500)

    kept = [number for name in segments(spool) for number in _predictions(spool / name)]

    assert kept == list(range(len(kept)))
    assert len(kept) > acknowledged
    assert all(is_closed(spool / name) for name in segments(spool))


def _predictions(path: Path) -> list[int]:
    records = [decode(payload) for payload in read_segment(path, 0, 1 << 20).payloads]
    return [int(record.id[1:]) for record in records if record.id.startswith("r")]


def test_all_who_wait_for_the_disk_are_told_together(spool: Path, writer: LogWriter) -> None:
    async def client(number: int) -> None:
        await writer.synced(writer.append(encode(prediction(number))))

    async def main() -> None:
        await asyncio.gather(*(client(number) for number in range(200)))

    asyncio.run(main())

    assert sorted(numbers(spool)) == list(range(200))
    assert writer.failures == 0


def test_nothing_waits_when_all_is_on_disk(writer: LogWriter) -> None:
    async def main() -> None:
        await writer.synced()
        ticket = writer.append(encode(prediction(1)))
        await writer.synced(ticket)
        await writer.synced(ticket)

    asyncio.run(main())


def test_a_failed_fsync_is_told_and_never_tried_again_as_if_it_were_good(child: Child, spool: Path) -> None:
    done = child("sync", fault="log.before_sync:error")

    assert done.stdout.split("\n")[:4] == ["TM-TRANSIENT", "on disk", "on disk", "1"], done.stderr
    assert len(segments(spool)) == 2, "the segment whose fsync failed is left, and the next record begins another"
    assert numbers(spool) == [0, 1, 2]


def test_a_ticket_of_a_failed_fsync_stays_failed(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_FAULT", "log.before_sync:error:1")
    monkeypatch.setattr("tidemill.core.faults._passes", {})

    async def main(writer: LogWriter) -> None:
        lost = writer.append(encode(prediction(1)))
        with pytest.raises(TransientError):
            await writer.synced(lost)
        kept = writer.append(encode(prediction(2)))
        await writer.synced(kept)
        with pytest.raises(TransientError):
            await writer.synced(lost)

    with closing(LogWriter(spool, worker="w0", clock=Clock(), sync_every_s=60)) as writer:
        asyncio.run(main(writer))


def test_a_full_disk_is_told_and_what_fits_stays_readable(child: Child, spool: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    done = child("fill", "100", preexec_fn=limit)

    kept, failures, codes = done.stdout.split()
    assert int(kept) + int(failures) == 100
    assert codes == "TM-DISK-FULL"
    chunk = read_segment(next(spool.glob("*.seg")), 0, 1 << 20)
    assert len(chunk.payloads) == int(kept)
    assert chunk.damage == [], "the record that did not fit was cut off"


def test_writing_goes_on_by_itself_when_there_is_space_again(
    spool: Path, writer: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.append(encode(prediction(1)))
    real = os.write
    monkeypatch.setattr("tidemill.serving.log.writer.os.write", lambda handle, data: real(handle, data[:20]))
    with pytest.raises(SpaceError) as caught:
        writer.append(encode(prediction(2)))
    monkeypatch.undo()
    writer.append(encode(prediction(3)))

    assert "collect --once" in caught.value.hint
    assert writer.failures == 1
    assert numbers(spool) == [1, 3]
    assert len(segments(spool)) == 1


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file")
    with closing(LogWriter(tmp_path / "spool", worker="w0", clock=Clock())) as writer:
        with pytest.raises(TransientError, match="cannot be written"):
            writer.append(encode(prediction(1)))
        assert writer.failures == 1
        (tmp_path / "spool").unlink()
        writer.append(encode(prediction(1)))
    assert numbers(tmp_path / "spool") == [1]


def test_an_input_output_error_begins_another_segment(spool: Path, child: Child) -> None:
    done = child("fill", "5", fault="log.before_write:error:3")

    assert done.stdout.split() == ["4", "1", "TM-TRANSIENT"]
    assert numbers(spool) == [0, 1, 3, 4]
    assert len(segments(spool)) == 2
