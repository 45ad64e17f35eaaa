"""tidemill predict: score a batch of rows, or go on with one that was interrupted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tidemill.cli.options import AsJson, Dialect, ProjectFolder, entered
from tidemill.cli.parameters import argument, option
from tidemill.cli.progress import status_line
from tidemill.cli.words import duration
from tidemill.core.who import current_user
from tidemill.core.words import count
from tidemill.runner.batch.request import CHUNK_ROWS, BatchRequest

if TYPE_CHECKING:
    from tidemill.runner.batch.request import BatchReport


def predict(
    model: Annotated[str, argument(about="A model, as NAME or NAME@ALIAS; with --deployment a deployment.")],
    output: Annotated[
        str, option("--output", "-o", metavar="TABLE|FILE", about="A table, or a .parquet, .csv or .ndjson file.")
    ],
    input_: Annotated[
        str, option("--input", "-i", metavar="TABLE|FILE", about="A table, a view, or a file or pattern of files.")
    ] = "",
    query: Annotated[
        str, option("--query", "-q", metavar="SQL", about="A query whose rows are scored, instead of --input.")
    ] = "",
    version: Annotated[int | None, option("--version", about="The model's version; else the newest.")] = None,
    deployment: Annotated[bool, option("--deployment", about="MODEL is a deployment: its champion scores.")] = False,
    columns: Annotated[
        str, option("--columns", metavar="NAME,...", about="Output columns to keep; else all of ML.PREDICT's.")
    ] = "",
    threshold: Annotated[
        float | None, option("--threshold", about="From which probability on a row is of the second class.")
    ] = None,
    chunk_rows: Annotated[int, option("--chunk-rows", about="Rows of a chunk.")] = CHUNK_ROWS,
    again: Annotated[bool, option("--again", about="Score although the same was done before.")] = False,
    as_json: AsJson = False,
    dialect: Dialect = "",
    project: ProjectFolder = Path(),
) -> None:
    """Score, and say what was done. The same command again goes on where a killed one stopped."""
    settings: tuple[tuple[str, Any], ...] = () if threshold is None else (("threshold", threshold),)
    request = BatchRequest(
        model=model,
        output=output,
        input=input_,
        query=query,
        dialect=dialect,
        version=version,
        deployment=deployment,
        columns=tuple(name.strip() for name in columns.split(",") if name.strip()),
        settings=settings,
        chunk_rows=chunk_rows,
        here=Path.cwd(),
        again=again,
        who=current_user(),
    )
    with entered(project) as opened, status_line() as tell:
        report = opened.predict(
            request, listen=lambda rows, chunk: tell(f"{count(rows, 'row')} scored ({count(chunk + 1, 'chunk')})")
        )
    if as_json:
        print(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        print(describe(report))


def describe(report: BatchReport) -> str:
    """The report as a person reads it."""
    lines = [f"note: {note}" for note in report.notes]
    scored_by = f"{report.model} version {report.version} ({report.digest[:12]})"
    rows = count(report.rows, "row")
    if report.already:
        lines.append(f"nothing to do: {report.output} has the {rows} of {report.input}, scored by {scored_by}")
        return "\n".join(lines)
    if report.chunks_before:
        lines.append(
            f"went on after {count(report.chunks_before, 'chunk')} ({count(report.rows_before, 'row')}) "
            f"of job {report.job_id}"
        )
    took = duration(report.seconds)
    lines.append(f"scored {rows} of {report.input} with {scored_by} to {report.output} in {took}")
    return "\n".join(lines)
