"""Routing: sticky, spread as the share says, and a larger share holds all of a smaller one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidemill.serving.routing import in_share, turn_in_share

KEYS = [f"customer-{number}" for number in range(20_000)]
shares = st.floats(0, 1)


@given(st.text(), shares, shares)
def test_a_key_in_a_share_is_in_every_larger_one(key: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    if in_share(key, small, salt=b"d:2"):
        assert in_share(key, large, salt=b"d:2")


@given(st.text())
def test_nobody_is_in_no_share_and_everybody_in_the_whole(key: str) -> None:
    assert not in_share(key, 0.0, salt=b"x")
    assert in_share(key, 1.0, salt=b"x")


def test_shares_of_keys_are_as_large_as_asked() -> None:
    for share in (0.01, 0.05, 0.25, 0.5):
        found = sum(in_share(key, share, salt=b"d:2") for key in KEYS) / len(KEYS)
        # Five standard errors of a share of 20,000 keys.
        assert abs(found - share) < 5 * (share * (1 - share) / len(KEYS)) ** 0.5


def test_another_rollout_asks_other_keys() -> None:
    first = {key for key in KEYS if in_share(key, 0.05, salt=b"d:2")}
    second = {key for key in KEYS if in_share(key, 0.05, salt=b"d:3")}

    assert len(first & second) < len(first) / 5


def test_requests_without_a_key_are_spread_evenly_from_the_first_hundred_on() -> None:
    for share in (0.01, 0.05, 0.25, 0.5):
        for requests in (100, 1_000, 10_000):
            found = sum(turn_in_share(number, share) for number in range(1, requests + 1))
            assert abs(found - share * requests) <= 2
