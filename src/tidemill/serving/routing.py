"""Which keys a share of the traffic holds: the same key always, and a larger share holds all of a smaller one."""

from __future__ import annotations

from hashlib import blake2b

_WHOLE = 1 << 64
_GOLDEN = 0x9E3779B97F4A7C15


def in_share(key: str, share: float, *, salt: bytes) -> bool:
    """Whether a key falls into a share.

    Parameters
    ----------
    share
        Part of all keys, in [0, 1].
    salt
        Tells one rollout from another, so that it is not the same keys that try every new version. At most 16 bytes
        count.
    """
    point = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, salt=salt[:16]).digest()
    return int.from_bytes(point, "big") < share * _WHOLE


def turn_in_share(number: int, share: float) -> bool:
    """Whether the n-th request without a key falls into a share: evenly spread, so that small numbers hold it too."""
    return (number * _GOLDEN) % _WHOLE < share * _WHOLE
