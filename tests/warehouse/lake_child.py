"""A child process that works on a lake until a fault stops it. Run: python lake_child.py ROOT VERB [ARGUMENTS]."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tidemill.core.errors import TidemillError
from tidemill.warehouse.duckdb.lake import Lake, open_lake
from tidemill.warehouse.duckdb.vacuum import vacuum


def no_guard() -> None:
    """Let everything pass."""


def put(lake: Lake, table: str, sql: str, *, run_id: str) -> None:
    """Stage and publish; without `tidemill.testing`, which takes longer to import."""
    with lake.session() as session:
        staged = lake.stage(session, sql, None, table=table, attempt=run_id)
    lake.publish(staged, run_id=run_id, step=f"table:{table}", guard=no_guard)


def maintain(lake: Lake) -> None:
    """All that `tidemill maintain` does to a lake; all snapshots but two are forgotten."""
    for chosen in lake.upkeep.compactions(target_bytes=1 << 20, least_files=3):
        lake.upkeep.compact(chosen, run_id="upkeep", guard=no_guard)
    snapshots = [one.version for one in lake.upkeep.snapshots()]
    lake.upkeep.expire([version for version in snapshots if version not in {KEPT, snapshots[-1]}])
    lake.upkeep.clean_up(older_than_s=0)
    with lake.alone():
        vacuum(lake.places.catalogue)


def erase(lake: Lake) -> None:
    """Take the rows of id 3 out of every snapshot, and remove what had them."""

    def meant(_: str, columns: Sequence[str]) -> str:
        return "id = 3" if "id" in columns else ""

    lake.upkeep.erase(lake.upkeep.holding(meant), meant, erasure=f"erasure-{os.urandom(4).hex()}", guard=no_guard)
    lake.upkeep.clean_up(older_than_s=0)
    lake.upkeep.rewrite_catalogue()


KEPT = 5
"""A snapshot in the middle that stays."""


def main(root: Path, verb: str, *arguments: str) -> int:
    try:
        with closing(open_lake(root / ".tidemill", search_path=root, threads=1)) as lake:
            if verb == "put":
                table, word, run_id = arguments
                put(lake, table, f"SELECT '{word}' AS word FROM range(5000)", run_id=run_id)
            elif verb == "drop":
                lake.drop(arguments[0], run_id=arguments[1], step="drop", guard=no_guard)
            elif verb == "sweep":
                lake.sweep(older_than_s=0)
            elif verb == "maintain":
                maintain(lake)
            elif verb == "erase":
                erase(lake)
            elif verb == "many":
                name, turns = arguments
                for turn in range(int(turns)):
                    put(lake, "shared", f"SELECT '{name}' AS name, {turn} AS turn", run_id=f"{name}-{turn}")
                    put(lake, f"own_{name}", f"SELECT {turn} AS turn FROM range(100)", run_id=f"{name}-{turn}")
                    sys.stdout.write(f"{turn}\n")
                    sys.stdout.flush()
    except TidemillError as error:
        sys.stdout.write(f"{error.code}\n")
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
