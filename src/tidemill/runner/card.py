"""A version's model card: its recorded facts, figures on its held-out rows, and what people wrote in ``cards/``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.analysis.documents.html import as_html
from tidemill.analysis.documents.markdown import as_markdown
from tidemill.core.errors import DataError, SourceError, StateError, StatementError
from tidemill.core.names import asset_key
from tidemill.registry.card import make_card
from tidemill.registry.card_facts import CardFacts, Figures, read_human
from tidemill.registry.describe import Description, describe_version

if TYPE_CHECKING:
    from tidemill.core.sections import GateSettings
    from tidemill.runner.stations import Stations

FOLDER = "cards"


def write_card(stations: Stations, model: str, version: int | str | None = None, *, html: bool = False) -> str:
    """Write the card of a version, as Markdown or as one HTML page.

    Raises
    ------
    NotFoundError
        There is no such model, version or alias.
    """
    document = make_card(card_facts(stations, model, version))
    return as_html(document) if html else as_markdown(document)


def card_facts(stations: Stations, model: str, version: int | str | None = None) -> CardFacts:
    """Gather what a card says."""
    described = describe_version(stations.db, stations.store, model, version)
    declared = _declared(stations, described)
    gates = list(declared.values())
    slices = _names(one.slices for one in gates)
    groups = _names(one.groups for one in gates)
    figures: Figures | None = None
    why = ""
    absent: tuple[str, ...] = ()
    try:
        from tidemill.runner.card_figures import work_out

        figures, absent = work_out(stations, described, slices=slices, groups=groups, gates=gates)
    except (StateError, DataError, StatementError) as error:
        why = error.message
    return CardFacts(
        description=described,
        figures=figures,
        why_no_figures=why,
        human=_human(stations.root, described.row.name),
        declared={"slices": slices, "groups": groups, "absent": absent, "deployments": tuple(declared)},
    )


def _declared(stations: Stations, described: Description) -> dict[str, GateSettings]:
    """The gates of the deployments of this model, by their names."""
    key = asset_key(described.row.name)
    return {
        name: one.gates for name, one in stations.settings.deployments.items() if asset_key(one.model or name) == key
    }


def _names(parts: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in parts for name in part))


def _human(root: Path, model: str) -> dict[str, str]:
    """What people wrote of a model; nothing where they wrote nothing."""
    path = root / FOLDER / f"{model}.md"
    try:
        return read_human(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read: {error}", hint="save it as UTF-8 text") from None
