"""Rows that must not go without a word (their files are gone), and rows that must not come back (deleted keys)."""

from __future__ import annotations

import pytest
from tests.runner.increments.conftest import KEYED, Shop

from tidemill.core.errors import ContractError, SourceError
from tidemill.runner.increments import deletions

DELETED = f"{KEYED}, deleted_when = 'gone'"


def test_a_full_refresh_that_would_lose_the_rows_of_files_that_are_gone_needs_a_word(shop: Shop) -> None:
    shop.orders()
    shop.deliver("data/a.parquet", [(1, 10, 0), (2, 20, 0), (3, 30, 1)])
    shop.deliver("data/b.parquet", [(3, 33, 2)])
    shop.run()
    (shop.root / "data" / "a.parquet").unlink()

    (planned,) = shop.project.plan(full_refresh=True).work
    (step,) = shop.try_run(full_refresh=True).steps

    assert planned.reason.endswith("; data/a.parquet is gone, and their rows may be lost")
    assert isinstance(step.error, SourceError)
    assert "data/a.parquet is gone, and a build of what is left loses their rows: 2 of 3 rows" in step.error.message
    assert step.error.hint.endswith("tidemill run --full-refresh orders --forget-gone-files")
    assert shop.rows() == [(1, 10), (2, 20), (3, 33)]
    report = shop.project.run(full_refresh=True, forget_gone_files=True)
    assert report.steps[0].warnings == ("data/a.parquet is gone: 2 of 3 rows",)
    assert shop.rows() == [(3, 33)]


def test_an_older_row_in_the_place_of_one_whose_file_is_gone_is_a_loss_too(shop: Shop) -> None:
    shop.orders()
    shop.deliver("data/a.parquet", [(1, 10, 0)])
    shop.deliver("data/b.parquet", [(1, 11, 1)])
    shop.run()
    (shop.root / "data" / "b.parquet").unlink()

    error = shop.try_run(full_refresh=True).steps[0].error

    assert isinstance(error, SourceError)
    assert error.facts == {"files": ["data/b.parquet"], "rows": 1}
    assert shop.rows() == [(1, 11)]


def test_files_that_moved_or_were_put_together_lose_nothing(shop: Shop) -> None:
    shop.orders()
    shop.deliver("data/a.parquet", [(1, 10, 0)])
    shop.deliver("data/b.parquet", [(2, 20, 0)])
    shop.run()
    (shop.root / "data" / "a.parquet").rename(shop.root / "data" / "monday.parquet")
    (shop.root / "data" / "b.parquet").unlink()
    shop.deliver("data/all.parquet", [(2, 20, 0), (3, 30, 0)])

    report = shop.run(full_refresh=True)

    assert report.steps[0].warnings == ("data/b.parquet is gone: every row of theirs came with other files too",)
    assert shop.rows() == [(1, 10), (2, 20), (3, 30)]


def test_without_a_key_the_numbers_of_rows_are_said_when_files_are_gone(shop: Shop) -> None:
    shop.orders("incremental_by = 'at'")
    shop.deliver("data/a.parquet", [(1, 10, 0), (1, 10, 0)])
    shop.deliver("data/b.parquet", [(2, 20, 1)])
    shop.run()
    (shop.root / "data" / "a.parquet").unlink()

    shop.orders("incremental_by = 'at'", more=" WHERE amount > 0")  # another statement: built whole
    error = shop.try_run().steps[0].error

    assert isinstance(error, SourceError)
    assert "it has 3 rows, and 1 would be left" in error.message
    assert len(shop.rows()) == 3


def test_an_older_row_of_a_deleted_key_that_comes_late_does_not_come_back(shop: Shop) -> None:
    shop.orders(DELETED)
    shop.deliver("data/a.parquet", [(1, 10, 0), (2, 20, 0), (3, 0, 5)], gone=[False, False, True])
    shop.run()
    shop.deliver("data/b.parquet", [(1, 0, 6), (4, 40, 7)], gone=[True, False])
    shop.run()
    assert shop.rows() == [(2, 20), (4, 40)]

    shop.deliver("data/late.parquet", [(1, 11, 4), (3, 30, 1), (5, 50, 2)], gone=[False, False, False])
    shop.run()

    assert shop.rows() == [(2, 20), (4, 40), (5, 50)]
    shop.deliver("data/again.parquet", [(1, 12, 8), (3, 31, 6)], gone=[False, False])  # they came to be once more
    shop.run()
    assert shop.rows() == [(1, 12), (2, 20), (3, 31), (4, 40), (5, 50)]
    taken_in = shop.rows()
    shop.run(full_refresh=True)
    assert shop.rows() == taken_in


def test_a_row_of_the_very_time_of_its_deletion_is_refused_as_in_a_build_of_all(shop: Shop) -> None:
    shop.orders(DELETED)
    shop.deliver("data/a.parquet", [(1, 10, 0), (9, 90, 9)], gone=[False, False])
    shop.deliver("data/b.parquet", [(1, 0, 5)], gone=[True])
    shop.run()

    shop.deliver("data/c.parquet", [(1, 11, 5)], gone=[False])
    error = shop.try_run().steps[0].error

    assert isinstance(error, ContractError)
    assert "(id) differ with the same at, such as (id=1)" in error.message


def test_deletions_outlive_upkeep_and_those_that_are_not_remembered_are_counted(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletions, "MOST", 1)
    shop.orders(DELETED)
    shop.deliver("data/a.parquet", [(1, 10, 0), (2, 20, 0), (3, 30, 0)], gone=[False] * 3)
    shop.run()
    shop.deliver("data/b.parquet", [(1, 0, 5), (2, 0, 6), (4, 40, 7)], gone=[True, True, False])

    (warning,) = shop.run().steps[0].warnings

    assert warning.startswith("1 of the deleted keys are not remembered")
    shop.project.maintain()
    shop.deliver("data/late.parquet", [(1, 11, 4), (2, 21, 4)], gone=[False] * 2)
    shop.run()
    assert shop.rows() == [(1, 11), (3, 30), (4, 40)]
