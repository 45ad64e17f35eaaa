"""A loaded version scores streams: in order, bounded, and alike whichever engine answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tidemill.core.errors import BindError, StateError
from tidemill.registry.versions import LoadedModel
from tidemill.serving import scorer as scoring
from tidemill.serving.scorer import Scorer
from tidemill.warehouse.protocol import Session

Load = Callable[[str], LoadedModel]
KINDS = ["LINEAR_REG", "LOGISTIC_REG", "BOOSTED_TREE_REGRESSOR", "RANDOM_FOREST_CLASSIFIER"]


def batches(session: Session, rows: int, size: int = 100) -> list[pa.RecordBatch]:
    sql = f"SELECT range % 97 AS N, ['a', 'b', NULL][1 + range % 3] AS c, 0 AS value, '' AS label FROM range({rows})"
    return list(session.query(sql, rows_per_batch=size))


@pytest.mark.parametrize("kind", KINDS)
def test_scores_come_in_order_however_many_threads_work(load: Load, session: Session, kind: str) -> None:
    rows = batches(session, 3000)
    model = load(kind)
    one = list(Scorer.open(model).score_stream(rows))
    many = list(Scorer.open(model, threads=4).score_stream(rows))
    assert [batch for batch, _ in one] == rows == [batch for batch, _ in many]
    whole = Scorer.open(model).score(pa.Table.from_batches(rows).combine_chunks().to_batches()[0])
    for answers in (one, many):
        np.testing.assert_allclose(np.concatenate([scores for _, scores in answers]), whole, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS[2:])
def test_both_engines_of_trees_answer_alike(
    load: Load, session: Session, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = batches(session, 3000)
    few = np.concatenate([scores for _, scores in Scorer.open(load(kind)).score_stream(rows)])
    monkeypatch.setattr(scoring, "MANY_ROWS", 250)
    scorer = Scorer.open(load(kind), threads=2)
    many = np.concatenate([scores for _, scores in scorer.score_stream(rows)])
    assert scorer.fitted._booster is not None  # type: ignore[attr-defined]
    np.testing.assert_allclose(few, many, atol=1e-5 * max(1.0, np.abs(few).max()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_without_rows_has_no_scores(load: Load, session: Session, kind: str) -> None:
    scorer = Scorer.open(load(kind), threads=2)
    assert list(scorer.score_stream([])) == []
    empty = batches(session, 10)[0].slice(0, 0)
    assert len(scorer.score(empty)) == 0


def test_the_stream_is_read_only_a_little_ahead(load: Load, session: Session) -> None:
    rows = batches(session, 5000)
    read = 0

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal read
        for batch in rows:
            read += 1
            yield batch

    for answered, _ in enumerate(Scorer.open(load("LINEAR_REG"), threads=2).score_stream(counted()), start=1):
        assert read <= answered + 3


def test_a_missing_column_is_named(load: Load, session: Session) -> None:
    rows = [batch.select(["N"]) for batch in batches(session, 10)]
    with pytest.raises(BindError, match="no column c"):
        list(Scorer.open(load("LINEAR_REG")).score_stream(rows))


def test_a_version_of_a_newer_tidemill_is_refused(load: Load) -> None:
    model = load("LINEAR_REG")
    with pytest.raises(StateError, match="newer Tidemill"):
        Scorer.open(replace(model, manifest={**model.manifest, "format": 99}))
