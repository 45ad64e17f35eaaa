"""tidemill label: take in labels from a table, a file or a query."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tidemill.cli.options import AsJson, Dialect, ProjectFolder, entered
from tidemill.cli.parameters import argument, option
from tidemill.cli.progress import status_line
from tidemill.core.who import current_user
from tidemill.core.words import count
from tidemill.runner.label_columns import LabelRequest

if TYPE_CHECKING:
    from tidemill.runner.labels import LabelReport

SHOWN = 5


def label(
    deployment: Annotated[str, argument(about="The deployment whose answers came true.")],
    input_: Annotated[
        str, option("--input", "-i", metavar="TABLE|FILE", about="A table, a view, or a file or pattern of files.")
    ] = "",
    query: Annotated[
        str, option("--query", "-q", metavar="SQL", about="A query whose rows are labels, instead of --input.")
    ] = "",
    id_: Annotated[str, option("--id", metavar="COLUMN", about="The column with the prediction's id.")] = "",
    key: Annotated[str, option("--key", metavar="COLUMN", about="The column with the entity's key.")] = "",
    label_: Annotated[str, option("--label", metavar="COLUMN", about="The column with what came true.")] = "",
    at: Annotated[str, option("--at", metavar="COLUMN", about="The column with the time at which it came true.")] = "",
    known: Annotated[
        str, option("--known", metavar="COLUMN", about="The column that says when the source came to know it.")
    ] = "",
    as_json: AsJson = False,
    dialect: Dialect = "",
    project: ProjectFolder = Path(),
) -> None:
    """Take in labels, once each: what is known already is left out, what is none is put aside and told.

    Without --input and --query, what [deployments.NAME.labels] declares is read.
    """
    request = LabelRequest(
        deployment=deployment,
        input=input_,
        query=query,
        dialect=dialect,
        id=id_,
        key=key,
        label=label_,
        at=at,
        known=known,
        here=Path.cwd(),
        who=current_user(),
    )
    with entered(project) as opened, status_line() as tell:
        report = opened.label(request, listen=lambda rows: tell(f"{count(rows, 'row')} read"))
    print(json.dumps(as_facts(report), ensure_ascii=False) if as_json else describe(report))


def as_facts(report: LabelReport) -> dict[str, object]:
    """The report as JSON has it."""
    done = report.delivery
    return {
        "deployment": done.deployment,
        "source": done.source,
        "already": report.already,
        "rows": done.rows,
        "taken": done.taken,
        "known": done.known,
        "refused": [{"row": row.line, "reason": row.reason} for row in report.refused],
        "refused_count": done.refused,
    }


def describe(report: LabelReport) -> str:
    """The report as a person reads it."""
    done = report.delivery
    if report.already:
        return f"nothing to do: these rows of {done.source} were taken in before"
    lines = [f"took in {count(done.taken, 'label')} of {count(done.rows, 'row')}; {done.known:,} known already"]
    if done.refused:
        lines.append(f"{count(done.refused, 'row')} refused and put aside in tidemill.rejects:")
        lines += [f"  row {row.line}: {row.reason}" for row in report.refused[:SHOWN]]
        if done.refused > SHOWN:
            lines.append(f"  and {done.refused - SHOWN:,} more")
    return "\n".join(lines)
