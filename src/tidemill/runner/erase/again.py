"""Erasing again: whom a backup brought back, and whose erasure waited for a run. Mostly there is nobody to look for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from tidemill.core.errors import BusyError
from tidemill.runner.erasure_book import Site, restored_entries, unbegun_entries
from tidemill.runner.planning import Site as ProjectSite

WAIT_S = 60.0


def erase_restored(project: ProjectSite, *, listen: Callable[[str], None] = lambda _: None) -> int:
    """Erase whom a backup brought back, before anybody is served or anything is built from them; how many.

    Raises
    ------
    BusyError
        Another process changes the project.
    """
    site = _site(project)
    entries = restored_entries(site)
    if not entries:
        return 0
    from tidemill.runner.erase.carry_out import carry_out

    carry_out(project.stations(), entries, wait_s=WAIT_S, listen=listen)
    return len(entries)


def erase_waiting(project: ProjectSite) -> int:
    """Erase people whose erasure waited for a run that is over: it read their rows to its end; how many."""
    site = _site(project)
    entries = unbegun_entries(site)
    if not entries:
        return 0
    from tidemill.runner.erase.carry_out import carry_out

    with suppress(BusyError):  # the next run has begun: its end is waited for
        carry_out(project.stations(), entries)
    return len(entries)


def _site(project: ProjectSite) -> Site:
    return Site(root=project.root, settings=project.settings, db=project.db)
