"""What a plan decides of an incremental table: leave it, take in what is new, or build it whole.

An incremental table is its statement, those of everything it reads, and its past. Its fingerprint is a chain: each
increment digests the fingerprint before it and what is read now. Whole it is built when a statement changed, its own
or one it reads through, so that rows of two statements never stand in one table.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidemill.planner.settle import fingerprint_of
from tidemill.sql.statements import CHECKS

if TYPE_CHECKING:
    from tidemill.planner.known import Known
    from tidemill.planner.plan import Action
    from tidemill.sql.statements import Summary

DEFINITION = "definition of "
GENERATION = "generation"
TOLD = "told"
"""Parts of an incremental table beside those of its statement: how what it reads is made, its last whole build, and
what was said of its files already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a plan decides of one asset."""

    action: Action
    reason: str
    fingerprint: str
    made_of: tuple[Any, ...]
    parts: Mapping[str, str]
    before: str = ""
    unless: dict[str, str] | None = None


def decide(
    summary: Summary,
    *,
    base: tuple[Any, ...],
    reads: Mapping[str, str],
    checked: Collection[str],
    upstream: Mapping[str, str],
    known: Known | None,
    said: Mapping[str, str],
    why_whole: str,
) -> Decision:
    """Decide on an incremental table.

    Parameters
    ----------
    base
        What its fingerprint is made of whatever its past.
    checked
        Names among ``reads`` that only its checks look into.
    upstream
        By name, the definition of each asset it reads otherwise.
    said
        By name, what another token of a source means, in words.
    why_whole
        Why it must be built whole, found before; '' when nothing was.
    """
    told = {TOLD: known.parts[TOLD]} if known is not None and TOLD in known.parts else {}
    parts = {**summary.parts, **told, **{f"{DEFINITION}{name}": digest for name, digest in upstream.items()}}
    why_whole = why_whole or (_why_whole(known, parts) if known else "new")
    before = known.fingerprint if known else ""
    if why_whole or known is None:
        made_of = (*base, "whole", before)
        fingerprint = fingerprint_of(made_of, reads, checked)
        parts[GENERATION] = fingerprint
        why_whole += _lost(known)
        return Decision(action="build", reason=why_whole, fingerprint=fingerprint, made_of=made_of, parts=parts)
    parts[GENERATION] = known.parts.get(GENERATION, "")
    news = _news(known, {name: token for name, token in reads.items() if name not in checked}, said)
    if not news:
        again = check_again(known, parts, reads, checked)
        action: Action = "check" if again else "skip"
        unless = dict(known.reads) if only_reads(known, parts) else None
        return Decision(
            action=action, reason=again, fingerprint=before, made_of=base, parts=parts, before=before, unless=unless
        )
    made_of = (*base, "increment", before)
    return Decision(
        action="increment",
        reason=f"{', '.join(news)}; so far: {known.watermark}",
        fingerprint=fingerprint_of(made_of, reads, checked),
        made_of=made_of,
        parts=parts,
        before=before,
        unless=None if known.unrecorded else dict(known.reads),
    )


def _why_whole(known: Known, parts: Mapping[str, str]) -> str:
    """Why rows that are there cannot stay, in words."""
    if known.watermark is None:
        return "nothing is known of how far it is: built whole"
    names = [name for name in {**parts, **known.parts} if name not in (GENERATION, CHECKS)]
    changed = [name for name in names if known.parts.get(name) != parts.get(name)]
    own = [f"{name} changed" for name in changed if not name.startswith(DEFINITION)]
    read = [f"{name.removeprefix(DEFINITION)} is made anew" for name in changed if name.startswith(DEFINITION)]
    return f"{', '.join([*own, *read])}: built whole" if changed else ""


def check_again(known: Known, parts: Mapping[str, str], reads: Mapping[str, str], checked: Collection[str]) -> str:
    """Why rows that stay as they are must be checked again, in words; '' when they need not be."""
    changed = [name for name in checked if known.reads.get(name) != reads.get(name)]
    words = [] if only_reads(known, parts) else ["checks changed"]
    return ", ".join([*words, *(f"{name} changed" for name in changed)])


def only_reads(known: Known, parts: Mapping[str, str]) -> bool:
    """Whether a table declares the checks that it declared before."""
    return known.parts.get(CHECKS) == parts.get(CHECKS)


def _lost(known: Known | None) -> str:
    """What a build of all that is left may lose, in words that follow its reason."""
    files = known.gone_files if known is not None else ()
    if not files:
        return ""
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return f"; {', '.join(files[:3])}{more} {'is' if len(files) == 1 else 'are'} gone, and their rows may be lost"


def _news(known: Known, reads: Mapping[str, str], said: Mapping[str, str]) -> list[str]:
    changed = [name for name, token in reads.items() if known.reads.get(name) != token]
    news = [f"{name.removeprefix('file ')} {said.get(name.removeprefix('file '), 'changed')}" for name in changed]
    if known.unrecorded:
        news.append("a run was killed before it wrote down what landed")
    return news
