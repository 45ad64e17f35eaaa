"""Erasing again: whom a backup brought back, and whose erasure waited for a run. Mostly there is nobody to look for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from tidemill.core.errors import BusyError
from tidemill.warehouse.control.erasures import has_erasures

if TYPE_CHECKING:
    from tidemill.governance.ledger import Entry
    from tidemill.runner.planning import Site as ProjectSite

WAIT_S = 60.0


def erase_restored(project: ProjectSite, *, listen: Callable[[str], None] = lambda _: None) -> int:
    """Erase whom a backup brought back, before anybody is served or anything is built from them; how many.

    Erasures that waited for a run or a batch which is over are carried out, too; those that must still wait do.

    Raises
    ------
    BusyError
        Another process changes the project.
    StateError
        The ledger is gone.
    """
    if not _is_kept(project) or not (_has_ledger(project) or has_erasures(project.db)):
        return 0
    from tidemill.runner.erasure_book import require_ledger, restored_entries, site_of

    site = site_of(project)
    require_ledger(site)
    again = _carry_out(project, restored_entries(site), wait_s=WAIT_S, listen=listen)
    erase_waiting(project)
    return again


def erase_waiting(project: ProjectSite) -> int:
    """Erase people whose erasure waited for a run that is over: it read their rows to its end; how many."""
    if not _is_kept(project) or not _has_ledger(project):
        return 0
    from tidemill.runner.erasure_book import site_of, unbegun_entries

    with suppress(BusyError):  # the next run has begun: its end is waited for
        return _carry_out(project, unbegun_entries(site_of(project)))
    return 0


def _is_kept(project: ProjectSite) -> bool:
    """Whether it is the project itself: a copy for a rehearsal goes when that is over, with everybody in it."""
    return project.keep == project.root / ".tidemill"


def _has_ledger(project: ProjectSite) -> bool:
    return (project.root / project.settings.erase.ledger).exists()


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
