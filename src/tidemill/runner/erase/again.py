"""Erasing again: whom a backup brought back, and whose erasure waited for a run. Mostly there is nobody to look for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from tidemill.core.errors import BusyError

if TYPE_CHECKING:
    from tidemill.governance.ledger import Entry
    from tidemill.runner.erasure_book import Site
    from tidemill.runner.planning import Site as ProjectSite

WAIT_S = 60.0


def erase_restored(project: ProjectSite, *, listen: Callable[[str], None] = lambda _: None) -> int:
    """Erase whom a backup brought back, before anybody is served or anything is built from them; how many.

    Erasures that waited for a run or a batch which is over are carried out, too; those that must still wait do.

    Raises
    ------
    BusyError
        Another process changes the project.
    """
    if not _may_have(project):
        return 0
    from tidemill.runner.erasure_book import restored_entries

    again = _carry_out(project, restored_entries(_site(project)), wait_s=WAIT_S, listen=listen)
    erase_waiting(project)
    return again


def erase_waiting(project: ProjectSite) -> int:
    """Erase people whose erasure waited for a run that is over: it read their rows to its end; how many."""
    if not _may_have(project):
        return 0
    from tidemill.runner.erasure_book import unbegun_entries

    with suppress(BusyError):  # the next run has begun: its end is waited for
        return _carry_out(project, unbegun_entries(_site(project)))
    return 0


def _may_have(project: ProjectSite) -> bool:
    """Whether anybody was ever erased from the project itself; copies for rehearsals go with everybody in them."""
    here = project.keep == project.root / ".tidemill"
    return here and (project.root / project.settings.erase.ledger).exists()


def _carry_out(
    project: ProjectSite,
    entries: list[Entry],
    *,
    wait_s: float = 0.0,
    listen: Callable[[str], None] = lambda _: None,
) -> int:
    if not entries:
        return 0
    from tidemill.runner.erase.carry_out import carry_out

    carry_out(project.stations(), entries, wait_s=wait_s, listen=listen)
    return len(entries)


def _site(project: ProjectSite) -> Site:
    from tidemill.runner.erasure_book import Site

    return Site(root=project.root, settings=project.settings, db=project.db)
