"""Ids of predictions."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tidemill.api.ids import Ids, row_ids
from tidemill.serving.counters import Counters
from tidemill.serving.log.label_rules import PREDICTION_ID

NOON_NS = 1_790_000_000_000_000_000


def test_ids_sort_by_the_millisecond_they_were_made_in() -> None:
    ids = Ids()
    made = [ids.next(NOON_NS + number * 700_000) for number in range(5000)]

    by_millisecond = sorted(made, key=lambda one: one[:10])

    assert by_millisecond == made
    assert len(set(made)) == 5000
    assert all(PREDICTION_ID.fullmatch(one) for one in made)


def test_ids_have_the_form_of_every_other_id_of_tidemill() -> None:
    from tidemill.core.clock import random_id

    form = re.compile(r"[0-9a-hjkmnp-tv-z]{26}")
    assert form.fullmatch(Ids().next(NOON_NS))
    assert form.fullmatch(random_id())
    assert Ids().next(NOON_NS)[:10] == Ids(b"12345678").next(NOON_NS)[:10]


def test_two_workers_never_make_the_same_id() -> None:
    workers = [Ids() for _ in range(8)]

    made = [one.next(NOON_NS) for one in workers for _ in range(2000)]

    assert len(set(made)) == len(made)


def test_rows_of_a_request_are_told_apart_by_a_number() -> None:
    assert row_ids("a", 1) == ["a"]
    assert row_ids("a", 3) == ["a-0", "a-1", "a-2"]
    assert row_ids("a", 2000) == [f"a-{i}" for i in range(2000)]
    assert PREDICTION_ID.fullmatch(row_ids(Ids().next(NOON_NS), 2)[1])


def test_a_worker_counts_on_where_the_one_before_it_was_ended(tmp_path: Path) -> None:
    first = Counters(tmp_path, 0)
    first.answered("churn", 200, 0.002)
    first.predicted("churn", 1, "champion", 3)
    first.save({})
    second, other = Counters(tmp_path, 0), Counters(tmp_path, 1)
    second.answered("churn", 200, 0.1)
    other.answered("churn", 404, 3.0)
    second.save({"queue": 2.0})

    total = other.everyone({"queue": 1.0})

    assert sorted(total.requests.values()) == [1, 2]
    assert sum(total.seconds["churn"]) == 3
    assert list(total.predictions.values()) == [3]
    assert total.gauges["queue"] == 3.0


def test_a_counters_file_that_is_damaged_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "7.json").write_bytes(b"\x00garbage")

    assert Counters(tmp_path, 0).everyone({}).requests == {}


def test_threads_may_share_the_ids_of_a_worker() -> None:
    ids = Ids()
    with ThreadPoolExecutor(4) as pool:
        made = [one for part in pool.map(lambda _: [ids.next(NOON_NS) for _ in range(3000)], range(4)) for one in part]

    assert len(set(made)) == len(made)
