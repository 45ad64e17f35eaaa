"""The queries behind the views that were last built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from tidemill.core.names import asset_key
from tidemill.sql.statements import CreateView, Query

if TYPE_CHECKING:
    from tidemill.warehouse.control.assets import Asset


class SavedViews(Mapping[str, Query]):
    """The queries behind the views that were last built, by key."""

    def __init__(self, assets: Mapping[str, Asset]) -> None:
        self._assets = {key: asset for key, asset in assets.items() if asset.kind == "view"}

    def __getitem__(self, key: str) -> Query:
        from tidemill.sql.parse import parse_text

        asset = self._assets[asset_key(key)]
        statement = parse_text(asset.statement, file=asset.file or "<sql>", dialect=asset.dialect)[0]
        if not isinstance(statement, CreateView):
            raise KeyError(key)
        return statement.query

    def __iter__(self) -> Iterator[str]:
        return iter(self._assets)

    def __len__(self) -> int:
        return len(self._assets)
