"""The limit that trainings put on linear algebra, and who lifts it."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from tidemill.training.one_blas_thread import one_blas_thread


def threads() -> set[int]:
    assert np.__version__  # its BLAS is the one that is looked at
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_a_training_has_one_thread_and_gives_the_others_back() -> None:
    with threadpool_limits(limits=3, user_api="blas"):
        with one_blas_thread():
            assert threads() == {1}
        assert threads() == {3}


def test_the_last_of_two_trainings_at_once_lifts_the_limit() -> None:
    first, second = one_blas_thread(), one_blas_thread()
    with threadpool_limits(limits=3, user_api="blas"):
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert threads() == {1}
        second.__exit__(None, None, None)
        assert threads() == {3}


def test_a_training_that_fails_gives_them_back() -> None:
    with threadpool_limits(limits=3, user_api="blas"):
        with pytest.raises(ValueError, match="rows"), one_blas_thread():
            raise ValueError("rows")
        assert threads() == {3}
