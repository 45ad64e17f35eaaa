"""tidemill estimate: what quality is to be expected of a model on rows that have no labels yet."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tidemill.cli.options import AsJson, Dialect, ProjectFolder, entered
from tidemill.cli.parameters import argument, option
from tidemill.cli.progress import status_line
from tidemill.cli.words import columns_of_text
from tidemill.core.words import count, listed

if TYPE_CHECKING:
    from tidemill.runner.estimate import EstimateReport

ROWS = "TABLE|FILE|SELECT"
_NAMED = 5


def estimate(
    model: Annotated[str, argument(about="A model, as NAME or NAME@ALIAS.")],
    on: Annotated[str, option("--on", metavar=ROWS, about="The rows without labels.")],
    check: Annotated[
        str, option("--check", metavar=ROWS, about="Rows with labels, newer than training, to check the estimate by.")
    ] = "",
    version: Annotated[int | None, option("--version", about="The model's version; else the newest.")] = None,
    metric: Annotated[
        str, option("--metric", about="The metric that is compared with held-out rows; else the task's usual one.")
    ] = "",
    as_json: AsJson = False,
    dialect: Dialect = "",
    project: ProjectFolder = Path(),
) -> None:
    """Estimate, from scores and columns. It holds as long as rows like these turn out as the held-out rows did."""
    from tidemill.runner.estimate import EstimateRequest
    from tidemill.runner.rows_of import is_file

    on, check = (str(Path(text).absolute()) if is_file(text) else text for text in (on, check))
    request = EstimateRequest(model=model, on=on, check=check, version=version, metric=metric, dialect=dialect)
    with entered(project) as opened, status_line() as tell:
        report = opened.estimate(request, listen=tell)
    if as_json:
        print(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        print(describe(report))


def describe(report: EstimateReport) -> str:
    """The report as a person reads it."""
    part = f"{report.rows:,} of the " if report.rows < report.of_rows else ""
    lines = [f"{report.model} version {report.version} on {part}{count(report.of_rows, 'row')} of {report.on}"]
    if report.state != "estimated":
        lines.append(f"{report.state}: {report.why}")
        return "\n".join(lines)
    cells: list[tuple[str, ...]] = [("metric", "expected", "low", "high", "held out")]
    for name, one in report.metrics.items():
        cells.append((name, *(_number(one[figure]) for figure in ("value", "low", "high", "held_out"))))
    lines += ["", *columns_of_text(cells), "", _loss(report), f"check: {report.why}"]
    lines += [report.alone] if report.alone else []
    lines += textwrap.wrap(_beyond(report), 100) if report.beyond else []
    return "\n".join(lines)


def _beyond(report: EstimateReport) -> str:
    named = listed([f"{name} in {count(rows, 'row')}" for name, rows in report.beyond.items()], _NAMED)
    return f"beyond all it was trained on: {named}. How good it is there nothing has shown: the interval leaves it out"


def _loss(report: EstimateReport) -> str:
    """An error that grew is told as a share of what it was; what falls, as the difference."""
    from tidemill.evaluation.metric_names import HIGHER_IS_BETTER

    one = report.loss
    assert one is not None  # noqa: S101 - an estimate has one
    figures, word = [one.value, one.low, one.high], "worse"
    if one.value is not None and one.value < 0:
        figures, word = [None if figure is None else -figure for figure in (one.value, one.high, one.low)], "better"
    show = _number if report.metric in HIGHER_IS_BETTER else _share
    value, low, high = map(show, figures)
    chance = f"p = {one.p_value:.2g}" if one.p_value is not None and one.p_value >= 1e-4 else "p < 0.0001"
    held, known = count(report.held_rows, "held-out row"), f", {chance}" if word == "worse" else ""
    return f"{report.metric} is {word} than on the {held} by {value} ({low} to {high}{known})"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.3g} %"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
