"""The board: workers count apart and see the sum; a killed version is killed for all of them."""

from __future__ import annotations

import multiprocessing
from bisect import bisect_right
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.core.errors import InternalError
from tidemill.serving.board import CHALLENGER, CHAMPION, LATENCY_EDGES, WORKERS, Board, latency_bin

EDGES = (0.25, 0.5, 0.75)


@given(st.floats(0, 100))
def test_the_quick_bin_of_a_duration_is_the_bin_its_edges_say(seconds: float) -> None:
    whole = int(seconds * 1e6) / 1e6 + 1e-9  # both count whole microseconds

    assert latency_bin(whole) == bisect_right(LATENCY_EDGES, whole)


def test_workers_count_apart_and_see_the_sum(tmp_path: Path) -> None:
    with Board(tmp_path / "d.board", worker=0) as one, Board(tmp_path / "d.board", worker=1) as other:
        for board in (one, other):
            board.enter(7, score_edges=EDGES)
        one.count(CHAMPION, seconds=0.001, error=False, scores=[0.1, 0.6])
        other.count(CHALLENGER, seconds=0.002, error=False, scores=[0.9])
        other.count(CHALLENGER, seconds=0.002, error=True, scores=[])
        other.compare(agree=3, differ=1, largest=0.25)

        counts = one.counts(7)

    assert (counts.champion.answers, counts.champion.errors) == (1, 0)
    assert (counts.challenger.answers, counts.challenger.errors) == (2, 1)
    assert counts.champion.scores[:4] == (1, 0, 1, 0)
    assert counts.challenger.scores[:4] == (0, 0, 0, 1)
    assert sum(counts.champion.latency) == 1
    assert (counts.agree, counts.differ, counts.largest_difference) == (3, 1, 0.25)


def test_counts_of_an_earlier_trial_count_for_nothing(tmp_path: Path) -> None:
    with Board(tmp_path / "d.board", worker=0) as one, Board(tmp_path / "d.board", worker=1) as slow:
        one.enter(7, score_edges=EDGES)
        slow.enter(7, score_edges=EDGES)
        one.count(CHAMPION, seconds=0.001, error=False, scores=[0.1])
        slow.count(CHAMPION, seconds=0.001, error=False, scores=[0.1])
        one.enter(8, score_edges=EDGES)

        assert one.counts(8).champion.answers == 0
        assert one.counts(7).champion.answers == 1  # the other worker has not heard of the new one


def test_a_worker_that_enters_its_own_trial_again_keeps_its_counts(tmp_path: Path) -> None:
    with Board(tmp_path / "d.board", worker=0) as board:
        board.enter(7, score_edges=EDGES)
        board.count(CHAMPION, seconds=0.001, error=False, scores=[0.1])
    with Board(tmp_path / "d.board", worker=0) as again:
        again.enter(7, score_edges=EDGES)

        assert again.counts(7).champion.answers == 1


def test_a_trial_killed_by_one_process_is_killed_in_the_other(tmp_path: Path) -> None:
    path = tmp_path / "d.board"
    with Board(path, worker=0) as board:
        child = multiprocessing.get_context("spawn").Process(target=_kill, args=(path,))
        child.start()
        child.join()

        assert child.exitcode == 0
        assert board.killed(7)
        assert not board.killed(8)


def _kill(path: Path) -> None:
    with Board(path, worker=1) as board:
        board.kill(7)


def test_more_workers_than_blocks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InternalError):
        Board(tmp_path / "d.board", worker=WORKERS)
