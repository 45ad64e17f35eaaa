"""A name that is not found because what makes it has not run yet."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from tidemill.core.errors import BindError, NotFoundError, TidemillError
from tidemill.core.names import asset_key

if TYPE_CHECKING:
    from tidemill.sql.statements import Summary

KINDS = ("table", "view", "load")


@contextlib.contextmanager
def telling_unbuilt(summaries: Callable[[], Sequence[Summary]]) -> Iterator[None]:
    """Say of a table that is not there that a statement makes it, where one does."""
    try:
        yield
    except (BindError, NotFoundError) as error:
        name = error.facts.get("name") or error.facts.get("table")
        if isinstance(name, str) and error.message.startswith("there is no table"):
            with contextlib.suppress(TidemillError):
                for one in summaries():
                    if one.kind in KINDS and asset_key(one.name) == asset_key(name):
                        error.hint = f"{one.file} makes it, and it is not built yet: tidemill run {one.name}"
        raise
