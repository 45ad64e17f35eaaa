"""The collector: every record once, in the lake, whatever the segments look like."""

from __future__ import annotations

import fcntl
import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.serving.log.conftest import collector, ids, label, prediction, select, write

from tidemill.core.clock import Clock
from tidemill.core.errors import BindError, BusyError, ConflictError
from tidemill.serving.log.follow import LogPlaces, collect_once
from tidemill.serving.log.lag import Lag, lag
from tidemill.serving.log.records import LabelRow, encode, framed
from tidemill.serving.log.spool import segments
from tidemill.serving.log.tables import PREDICTIONS_TABLE
from tidemill.serving.log.writer import LogWriter
from tidemill.warehouse.control.database import open_database, sqlite_url
from tidemill.warehouse.control.holders import Holder
from tidemill.warehouse.control.leases import acquire
from tidemill.warehouse.duckdb.lake import Lake


def in_lake(lake: Lake) -> list[str]:
    """The ids of the predictions that are in the lake."""
    with lake.session() as session:
        rows = session.query(f"SELECT id FROM {PREDICTIONS_TABLE} ORDER BY id").read_all().to_pylist()
    return [row["id"] for row in rows]


def test_everything_is_carried_over_once(lake: Lake, spool: Path) -> None:
    write(spool, *(prediction(number) for number in range(5)), label(1, LabelRow(id="r1", label="no")))

    first, second = collector(lake, spool).collect(), collector(lake, spool).collect()

    assert (first.predictions, first.labels) == (5, 1)
    assert (second.predictions, second.labels, second.bytes) == (0, 0, 0)
    assert in_lake(lake) == ids(lake, spool) == [f"r{number}" for number in range(5)]
    assert lake.verify() == []


def test_a_segment_that_grows_is_carried_over_as_it_grows(lake: Lake, spool: Path) -> None:
    collecting = collector(lake, spool)
    with closing(LogWriter(spool, worker="w0", clock=Clock())) as writer:
        for number in range(4):
            writer.append(encode(prediction(number)))
            assert collecting.collect().predictions == 1
            assert collecting.waiting() == 0

    assert in_lake(lake) == ["r0", "r1", "r2", "r3"]


def test_a_small_batch_takes_a_part_of_each_segment(lake: Lake, spool: Path) -> None:
    for worker in ("w0", "w1"):
        write(spool, *(prediction(int(f"{worker[1]}{number}")) for number in range(10, 20)), worker=worker)

    batch = collector(lake, spool, batch_bytes=2000).collect_batch()
    total = collector(lake, spool, batch_bytes=2000).collect()

    assert 2 <= batch.predictions < 20
    assert batch.predictions + total.predictions == 20
    assert len(set(in_lake(lake))) == len(in_lake(lake)) == 20


def test_segments_go_when_they_are_collected_and_old_and_nobody_writes_to_them(lake: Lake, spool: Path) -> None:
    write(spool, prediction(1))
    with closing(LogWriter(spool, worker="w1", clock=Clock())) as writer:
        writer.append(encode(prediction(2)))

        assert collector(lake, spool).collect().segments_removed == 0, "young"
        assert collector(lake, spool, grace_s=0).collect().segments_removed == 1

    assert len(segments(spool)) == 1, "the one that was being written"
    assert collector(lake, spool, grace_s=0).collect().segments_removed == 1
    assert in_lake(lake) == ids(lake, spool) == ["r1", "r2"]


def test_a_damaged_record_is_put_aside_and_the_rest_collected(lake: Lake, spool: Path) -> None:
    path = write(spool, *(prediction(number) for number in range(3)))
    one = len(framed(encode(prediction(0))))
    data = bytearray(path.read_bytes())
    data[one + 40] ^= 4
    path.write_bytes(bytes(data))

    collected = collector(lake, spool, grace_s=0).collect()

    assert (collected.predictions, collected.damaged, collected.torn) == (2, 1, 0)
    aside = spool / "damaged" / f"{path.name}-{one}.bin"
    assert aside.read_bytes() == bytes(data[one : 2 * one])
    assert in_lake(lake) == ["r0", "r2"]
    assert not path.exists()


def test_records_that_hold_no_answer_are_put_aside(lake: Lake, spool: Path) -> None:
    with closing(LogWriter(spool, worker="w0", clock=Clock())) as writer:
        writer.append(b"not a record")
        writer.append(encode(prediction(1, inputs=b'{"rows":[{"a":1}]}', n=2, keys=[None, None])))
        writer.append(encode(prediction(2, inputs=b"\xff")))
        writer.append(encode(label(3, LabelRow(id="r1", label=1, time="yesterday"))))
        writer.append(encode(prediction(4)))

    collected = collector(lake, spool).collect()

    assert (collected.predictions, collected.labels, collected.damaged) == (1, 0, 4)
    assert len(list((spool / "damaged").iterdir())) == 4
    assert collector(lake, spool).collect().damaged == 0


def test_a_spool_of_nothing_but_damage_is_passed_over_once(lake: Lake, spool: Path) -> None:
    spool.mkdir(parents=True)
    (spool / "w0-x-000001.seg").write_bytes(b"\0" * 5000)
    collecting = collector(lake, spool, grace_s=0)

    assert collecting.collect().torn == 1
    assert collecting.collect().bytes == 0
    assert segments(spool) == {}


def test_a_spool_that_is_not_there_holds_nothing(lake: Lake, spool: Path) -> None:
    assert collector(lake, spool).collect().bytes == 0
    assert not lake.places.catalogue.exists()


def test_a_collector_that_lost_its_lease_writes_nothing(lake: Lake, spool: Path) -> None:
    write(spool, prediction(1))

    def lost() -> None:
        raise ConflictError("this process lost the lease")

    with pytest.raises(ConflictError):
        collector(lake, spool, guard=lost).collect()

    assert lake.tables() == {}
    assert collector(lake, spool).collect().predictions == 1
    assert in_lake(lake) == ["r1"]
    assert lake.sweep(older_than_s=0) == []


def test_one_collector_works_at_a_time(tmp_path: Path, lake: Lake, spool: Path) -> None:
    with closing(open_database(sqlite_url(tmp_path / "control.sqlite"), clock=Clock())) as db:
        places = LogPlaces(db=db, warehouse=lake, spool=spool, clock=Clock())
        acquire(db, "collector", Holder(host="elsewhere", pid=1))

        with pytest.raises(BusyError, match="'collector' is held by process 1 on elsewhere"):
            collect_once(places, wait_s=0)


def test_a_run_of_the_project_is_neither_waited_for_nor_held_up(tmp_path: Path, lake: Lake, spool: Path) -> None:
    write(spool, prediction(1))
    with closing(open_database(sqlite_url(tmp_path / "control.sqlite"), clock=Clock())) as db:
        acquire(db, "run", Holder(host="elsewhere", pid=1), run_id="run-1")

        assert collect_once(LogPlaces(db=db, warehouse=lake, spool=spool, clock=Clock())).predictions == 1


def test_the_tables_of_the_log_are_nobody_elses(lake: Lake, spool: Path) -> None:
    write(spool, prediction(1))
    collector(lake, spool).collect()
    with lake.session() as session, pytest.raises(BindError, match="taken by the system"):
        lake.stage(session, "SELECT 1 AS x", None, table=PREDICTIONS_TABLE, attempt="a")
    with pytest.raises(BindError, match="taken by the system"):
        lake.drop(PREDICTIONS_TABLE, run_id="r", step="s", guard=lambda: None)


def test_times_of_removal_come_from_the_clock(lake: Lake, spool: Path) -> None:
    path = write(spool, prediction(1))
    os.utime(path, (0, 0))
    clock = Clock(now=lambda: datetime.fromtimestamp(59, tz=UTC))

    assert collector(lake, spool, clock=clock).collect().segments_removed == 0
    assert collector(lake, spool).collect().segments_removed == 1


def test_a_segment_somebody_holds_stays(lake: Lake, spool: Path) -> None:
    path = write(spool, prediction(1))
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert collector(lake, spool, grace_s=0).collect().segments_removed == 0
    assert select(lake, spool, "SELECT count(*) AS n FROM tidemill.predictions") == [{"n": 1}]


def test_the_lag_is_what_waits_and_since_when_the_first_of_it_does(lake: Lake, spool: Path) -> None:
    assert lag(spool, lambda: lake) == Lag(bytes=0, since=None)
    write(spool, *(prediction(number) for number in range(5)))
    first = datetime.fromtimestamp(prediction(0).at_ns / 1e9, UTC)

    found = lag(spool, lambda: lake)
    collector(lake, spool).collect()

    assert found == Lag(bytes=sum(segments(spool).values()), since=first)
    assert lag(spool, lambda: lake).bytes == 0
