"""Leases: one holder at a time, whatever processes and clocks do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tidemill.core.clock import Clock
from tidemill.core.errors import BusyError, ConflictError
from tidemill.warehouse.control import leases, runs
from tidemill.warehouse.control.database import Database, open_database, sqlite_url
from tidemill.warehouse.control.holders import Holder, is_gone, this_process

ME = this_process()
ELSEWHERE = Holder(host="elsewhere", pid=1)

# A holder in a process of its own: acquires, says so, then obeys one word a line: write, or end.
HOLDER = """
import sys
from tidemill.core.clock import Clock
from tidemill.core.errors import TidemillError
from tidemill.warehouse.control import leases, runs
from tidemill.warehouse.control.database import open_database
from tidemill.warehouse.control.holders import this_process
url, run_id, ttl_s = sys.argv[1], sys.argv[2], float(sys.argv[3])
db = open_database(url, clock=Clock())
me = this_process()
runs.start_run(db, run_id, holder=me)
try:
    lease = leases.acquire(db, "run", me, run_id=run_id, ttl_s=ttl_s)
except TidemillError as error:
    print(error.code, flush=True)
    sys.exit(0)
print("held", lease.fence, flush=True)
for line in sys.stdin:
    if line.strip() == "write":
        try:
            with db.write() as tx:
                leases.require(tx, lease)
                tx.execute("INSERT INTO source_files VALUES (:run_id, '', '', '', '[]')", run_id=run_id)
            print("written", flush=True)
        except TidemillError as error:
            print(error.code, flush=True)
    else:
        leases.release(db, lease)
        break
db.close()
"""


class MovedClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 1, tzinfo=UTC)

    def move(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    def clock(self) -> Clock:
        return Clock(now=lambda: self.moment)


def start_holder(url: str, run_id: str, ttl_s: float = 30.0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, url, run_id, str(ttl_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdin is not None
    process.stdin.write(word + "\n")
    process.stdin.flush()
    return hear(process)


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def written(db: Database) -> list[str]:
    with db.read() as tx:
        return [row["path"] for row in tx.rows("SELECT path FROM source_files ORDER BY path")]


def test_a_second_holder_is_told_who_holds_the_lease_since_when(db: Database) -> None:
    leases.acquire(db, "run", ME, run_id="r1")

    with pytest.raises(BusyError) as caught:
        leases.acquire(db, "run", ELSEWHERE, run_id="r2")

    assert f"run r1 is held by process {os.getpid()}" in caught.value.message
    assert "UTC" in caught.value.message
    assert caught.value.facts["run_id"] == "r1"
    assert caught.value.retryable
    assert caught.value.hint.endswith("or end that process")


def test_the_lease_of_a_process_elsewhere_says_when_it_is_free_if_that_was_killed(control_url: str) -> None:
    time_now = MovedClock()
    with closing(open_database(control_url, clock=time_now.clock())) as db:
        leases.acquire(db, "retrain", ELSEWHERE, ttl_s=30)
        time_now.move(12.5)

        with pytest.raises(BusyError) as caught:
            leases.acquire(db, "retrain", ME)

    assert caught.value.hint.endswith("or end that process; if that was killed, this is free in 18 s")


def test_a_released_lease_is_free_and_its_fence_is_not_used_again(db: Database) -> None:
    first = leases.acquire(db, "run", ME)
    leases.release(db, first)
    assert leases.current(db, "run") is None

    second = leases.acquire(db, "run", ME)

    assert second.fence == first.fence + 1
    with pytest.raises(ConflictError):
        leases.require(db, first)


def test_leases_of_different_names_do_not_meet(db: Database) -> None:
    assert leases.acquire(db, "a", ME).fence == leases.acquire(db, "b", ELSEWHERE).fence == 1


def test_an_expired_lease_is_taken_over_and_its_run_is_lost(control_url: str) -> None:
    time_now = MovedClock()
    with closing(open_database(control_url, clock=time_now.clock())) as db:
        old = leases.acquire(db, "run", ELSEWHERE, run_id="r1", ttl_s=30)
        runs.start_run(db, "r1", holder=ELSEWHERE, lease=old)
        runs.plan_steps(db, "r1", [runs.NewStep(step=name, asset=name, kind="table", action="build") for name in "abc"])
        runs.start_step(db, "r1", "a", lease=old)
        runs.finish_step(db, "r1", "a", status="done", lease=old)
        runs.start_step(db, "r1", "b", lease=old)
        time_now.move(31)

        new = leases.acquire(db, "run", ME, run_id="r2")

        assert new.fence > old.fence
        assert runs.get_run(db, "r1").status == "lost"
        assert [step.status for step in runs.list_steps(db, "r1")] == ["done", "lost", "pending"]
        assert [step.step for step in runs.interrupted_steps(db)] == ["b"]
        for write in (
            lambda: runs.finish_step(db, "r1", "b", status="done", lease=old),
            lambda: runs.finish_run(db, "r1", status="ok", lease=old),
            lambda: runs.finish_run(db, "r1", status="ok"),
            lambda: leases.renew(db, old),
        ):
            with pytest.raises(ConflictError):
                write()
        leases.release(db, old)  # the loser's release does nothing
        leases.require(db, new)


def test_fault_15_a_lease_that_a_clock_ahead_has_taken_is_over_once_the_clock_is_right(control_url: str) -> None:
    time_now = MovedClock()
    with closing(open_database(control_url, clock=time_now.clock())) as db:
        time_now.move(365 * 86_400)
        old = leases.acquire(db, "run", ELSEWHERE, ttl_s=30)
        time_now.move(-365 * 86_400)

        new = leases.acquire(db, "run", ME, ttl_s=30)

        with pytest.raises(ConflictError):
            leases.renew(db, old)
        leases.renew(db, new)
        time_now.move(-300)  # a clock that is put right by minutes takes nothing from whoever is alive
        assert leases.current(db, "run") is not None


def test_an_expired_lease_that_nobody_took_still_guards_and_is_renewed(control_url: str) -> None:
    time_now = MovedClock()
    with closing(open_database(control_url, clock=time_now.clock())) as db:
        lease = leases.acquire(db, "run", ELSEWHERE, ttl_s=30)
        time_now.move(60)
        with db.write() as tx:
            leases.require(tx, lease)

        leases.require(db, lease)

        assert leases.current(db, "run") is not None


def test_a_renewed_lease_outlives_its_first_time(control_url: str) -> None:
    time_now = MovedClock()
    with closing(open_database(control_url, clock=time_now.clock())) as db:
        lease = leases.acquire(db, "run", ELSEWHERE, ttl_s=30)
        time_now.move(20)
        leases.renew(db, lease)
        time_now.move(20)

        with pytest.raises(BusyError):
            leases.acquire(db, "run", ME)


def test_a_lease_is_waited_for_until_it_is_free(db: Database) -> None:
    leases.acquire(db, "run", ELSEWHERE, ttl_s=0.4)
    started = time.monotonic()

    lease = leases.acquire(db, "run", ME, wait_s=5)

    assert lease.fence == 2
    assert 0.1 < time.monotonic() - started < 5


def test_a_held_lease_is_renewed_as_long_as_the_block_runs(db: Database) -> None:
    with leases.held(db, "run", ELSEWHERE, ttl_s=0.6):
        time.sleep(1.0)
        with pytest.raises(BusyError):
            leases.acquire(db, "run", ME)

    assert leases.current(db, "run") is None


def test_a_block_that_fails_releases_its_lease(db: Database) -> None:
    with pytest.raises(RuntimeError), leases.held(db, "run", ME):
        raise RuntimeError

    assert leases.acquire(db, "run", ELSEWHERE).fence == 2


def test_a_process_that_ran_here_and_is_gone_is_known_to_be_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()

    assert is_gone(Holder(host=ME.host, pid=child.pid))
    assert not is_gone(ME)
    assert not is_gone(Holder(host="elsewhere", pid=child.pid))
    # The number was given to another process since.
    assert is_gone(Holder(host=ME.host, pid=ME.pid, start="1"))


def test_two_processes_that_compete_leave_one_holder(control_url: str) -> None:
    with closing(open_database(control_url, clock=Clock())) as db:
        rivals = [start_holder(control_url, f"r{number}") for number in range(3)]
        said = sorted(hear(rival) for rival in rivals)

        assert said == ["TM-BUSY", "TM-BUSY", "held 1"]
        row = leases.current(db, "run")
        assert row is not None
        assert row.holder.pid in {rival.pid for rival in rivals}
        for rival in rivals:
            end(rival)


def test_the_lease_of_a_killed_process_is_free_at_once(control_url: str) -> None:
    with closing(open_database(control_url, clock=Clock())) as db:
        process = start_holder(control_url, "r1")
        assert hear(process) == "held 1"
        process.send_signal(signal.SIGKILL)
        process.communicate()

        assert leases.acquire(db, "run", ME, run_id="r2").fence == 2
        assert runs.get_run(db, "r1").status == "lost"


def test_so_is_that_of_one_whose_parent_has_not_asked_how_it_ended(control_url: str) -> None:
    with closing(open_database(control_url, clock=Clock())) as db:
        process = start_holder(control_url, "r1")
        assert hear(process) == "held 1"
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        assert leases.acquire(db, "run", ME, run_id="r2").fence == 2
        process.communicate()


def test_a_paused_process_that_lost_its_lease_cannot_write(control_url: str) -> None:
    with closing(open_database(control_url, clock=Clock())) as db:
        process = start_holder(control_url, "r1", ttl_s=0.5)
        assert hear(process) == "held 1"
        assert tell(process, "write") == "written"
        process.send_signal(signal.SIGSTOP)
        lease = leases.acquire(db, "run", ME, run_id="r2", wait_s=10)
        process.send_signal(signal.SIGCONT)

        assert tell(process, "write") == "TM-CONFLICT"
        assert written(db) == ["r1"]
        leases.require(db, lease)
        assert runs.get_run(db, "r1").status == "lost"
        end(process)


class AnyOrderOfEvents(RuleBasedStateMachine):
    """Three holders do anything in any order while the clock jumps both ways: never two valid fences."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.time_now = MovedClock()
        url = sqlite_url(Path(self.folder.name) / "c.sqlite")
        self.db = open_database(url, clock=self.time_now.clock())
        self.got: dict[int, leases.Lease] = {}
        self.highest = 0

    @rule(who=st.integers(0, 2), ttl_s=st.floats(1, 60))
    def acquire(self, who: int, ttl_s: float) -> None:
        try:
            lease = leases.acquire(self.db, "run", Holder(host=f"host{who}", pid=1), ttl_s=ttl_s)
        except BusyError:
            return
        assert lease.fence > self.highest
        self.highest = lease.fence
        self.got[who] = lease

    @rule(seconds=st.floats(-4000, 4000))
    def move_the_clock(self, seconds: float) -> None:
        self.time_now.move(seconds)

    @rule(who=st.integers(0, 2))
    def release(self, who: int) -> None:
        if who in self.got:
            leases.release(self.db, self.got[who])

    @rule(who=st.integers(0, 2))
    def renew(self, who: int) -> None:
        if who in self.got:
            try:
                leases.renew(self.db, self.got[who])
            except ConflictError:
                del self.got[who]

    @invariant()
    def never_two_writers_with_a_valid_fence(self) -> None:
        valid = []
        for lease in self.got.values():
            with self.db.write() as tx:
                try:
                    leases.require(tx, lease)
                except ConflictError:
                    continue
            valid.append(lease.fence)
        assert len(valid) <= 1
        assert valid in ([], [self.highest])

    def teardown(self) -> None:
        self.db.close()
        self.folder.cleanup()


AnyOrderOfEvents.TestCase.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
TestAnyOrderOfEvents = AnyOrderOfEvents.TestCase
