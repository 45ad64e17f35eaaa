"""A child process that writes or collects until a fault stops it. Run: python log_child.py ROOT VERB [ARGUMENTS]."""

from __future__ import annotations

import asyncio
import sys
from contextlib import closing
from pathlib import Path

from tests.serving.log.conftest import label, prediction

from tidemill.core.clock import Clock
from tidemill.core.errors import TidemillError
from tidemill.serving.log.follow import LogPlaces, collect_once
from tidemill.serving.log.records import LabelRow, encode
from tidemill.serving.log.writer import LogWriter
from tidemill.warehouse.control.database import open_database, sqlite_url
from tidemill.warehouse.duckdb.lake import open_lake


def say(text: object) -> None:
    """Tell the parent at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def append(root: Path, worker: str, first: int, last: int) -> None:
    """Append and acknowledge predictions, each third with a label."""
    with closing(LogWriter(root / ".tidemill" / "spool", worker=worker, clock=Clock(), segment_bytes=20_000)) as writer:
        for number in range(first, last):
            writer.append(encode(prediction(number)))
            if number % 3 == 0:
                writer.append(encode(label(number, LabelRow(id=f"r{number}", label="yes"))))
            say(number)


def fill(root: Path, rows: int) -> None:
    """Append until the disk is full, and go on: how many were acknowledged, how many failed, with which error."""
    kept, codes = 0, set()
    with closing(LogWriter(root / ".tidemill" / "spool", worker="w", clock=Clock())) as writer:
        for number in range(rows):
            try:
                writer.append(encode(prediction(number)))
                kept += 1
            except TidemillError as error:
                codes.add(error.code)
        say(f"{kept} {writer.failures} {','.join(sorted(codes))}")


def sync(root: Path) -> None:
    """Append and wait for the disk, three times."""

    async def turns() -> None:
        with closing(LogWriter(root / ".tidemill" / "spool", worker="w", clock=Clock(), sync_every_s=60)) as writer:
            for number in range(3):
                ticket = writer.append(encode(prediction(number)))
                try:
                    await writer.synced(ticket)
                    say("on disk")
                except TidemillError as error:
                    say(error.code)
            say(writer.failures)

    asyncio.run(turns())


def collect(root: Path) -> None:
    """Collect once, as the command does."""
    with (
        closing(open_database(sqlite_url(root / ".tidemill" / "control.sqlite"), clock=Clock())) as db,
        closing(open_lake(root / ".tidemill", search_path=root, threads=1, write_wait_s=0.2)) as lake,
    ):
        places = LogPlaces(db=db, warehouse=lake, spool=root / ".tidemill" / "spool", clock=Clock())
        say(collect_once(places, wait_s=0))


def main(root: Path, verb: str, *arguments: str) -> int:
    try:
        if verb == "append":
            append(root, arguments[0], int(arguments[1]), int(arguments[2]))
        elif verb == "fill":
            fill(root, int(arguments[0]))
        elif verb == "sync":
            sync(root)
        else:
            collect(root)
    except TidemillError as error:
        say(f"{error.code}: {error.message}")
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
