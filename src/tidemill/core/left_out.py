"""A library that a process of ours never uses, though libraries that it does use look for it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

LEFT_OUT = "pandas"


class _LeftOut:
    """Says that the library is not installed."""

    def find_spec(self, name: str, _path: Sequence[str] | None = None, _target: object = None) -> None:
        if name == LEFT_OUT:
            raise ModuleNotFoundError(f"no module named {name!r} in a process of Tidemill", name=name)


def leave_out_pandas() -> None:
    """Have this process run as if pandas were not installed.

    Where it is, Arrow and DuckDB import it to ask whether a value they are given is one of its frames: 0.2 to 0.3 s and
    50 MB of each command. For processes that are wholly ours; in a notebook or a program of somebody else's it must not
    be called.
    """
    if not any(isinstance(finder, _LeftOut) for finder in sys.meta_path):
        sys.meta_path.insert(0, _LeftOut())
