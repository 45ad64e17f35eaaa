"""tidemill maintain: look after the lake and the control database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from click.exceptions import Exit

from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.parameters import argument, option
from tidemill.cli.words import columns_of_text, duration
from tidemill.core.words import count

if TYPE_CHECKING:
    from tidemill.runner.maintain import Act, Maintained


def maintain(
    tables: Annotated[list[str] | None, argument(about="Only these tables; else all, and everything else.")] = None,
    dry_run: Annotated[bool, option("--dry-run", about="Say what would be done, and do nothing.")] = False,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Print each thing that was done, and why snapshots stay; leave with an error's status when one failed."""
    with entered(project) as opened:
        done = opened.maintain(
            tables or (), dry_run=dry_run, listen=lambda act: None if as_json else _print(act, dry_run=dry_run)
        )
    if as_json:
        print(json.dumps(done.as_json(), indent=2, ensure_ascii=False, default=str))
    else:
        print(_summary(done))
    if done.error is not None:
        raise Exit(done.error.exit_status)


def _print(act: Act, *, dry_run: bool) -> None:
    if act.error is not None:
        print(f"{act.action} {act.object}: {act.detail}\n  try: {act.error.hint}", flush=True)
        return
    size = f" ({megabytes(act.bytes)})" if act.bytes else ""
    took = "" if dry_run else f", {duration(act.seconds)}"
    print(f"{'would ' if dry_run else ''}{act.action} {act.object}: {act.detail}{size}{took}", flush=True)


def _summary(done: Maintained) -> str:
    lines = [] if done.acts else ["nothing to do: the lake is well"]
    if done.kept:
        lines.append(f"{count(len(done.kept), 'snapshot')} {'stays' if len(done.kept) == 1 else 'stay'}:")
        lines += [f"  {line}" for line in columns_of_text([(f"{n:,}", why) for why, n in done.reasons[:10]], widest=90)]
        rest = sum(n for _, n in done.reasons[10:])
        lines += [f"  {rest:,} more because something refers to them: --json lists all"] if rest else []
    return "\n".join(lines)


def megabytes(size: int) -> str:
    """Bytes as a person reads them."""
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size:,} bytes"
