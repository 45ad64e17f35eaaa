"""tidemill backtest: how a model would have done, and how often training again pays."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.output import write_text
from tidemill.cli.parameters import argument, option
from tidemill.cli.progress import status_line
from tidemill.core.durations import read_duration
from tidemill.core.errors import SettingsError

if TYPE_CHECKING:
    from tidemill.runner.backtest.report import BacktestReport


def backtest(
    model: Annotated[str, argument(about="The model.")],
    every: Annotated[str, option("--every", metavar="SPAN", about="How far apart trainings are, such as 1w.")],
    first: Annotated[str, option("--from", metavar="TIME", about="The first training; else after a fifth.")] = "",
    last: Annotated[str, option("--to", metavar="TIME", about="The end of the last period; else the newest row.")] = "",
    ages: Annotated[
        int, option("--ages", about="On how many periods each training is tested.", least=1, most=1000)
    ] = 8,
    window: Annotated[
        str, option("--window", metavar="WINDOW", about="all, or such as 'last 90 days', in place of TRAIN_WINDOW.")
    ] = "",
    half_life: Annotated[str, option("--half-life", metavar="SPAN", about="In place of TRAIN_HALF_LIFE.")] = "",
    metric: Annotated[str, option("--metric", about="roc_auc, accuracy or mean_absolute_error when left out.")] = "",
    time: Annotated[str, option("--time", metavar="COLUMN", about="In place of TRAIN_TIME_COL.")] = "",
    known: Annotated[str, option("--known", metavar="COLUMN", about="In place of TRAIN_KNOWN_COL.")] = "",
    html: Annotated[Path | None, option("--html", metavar="FILE", about="Write one HTML page with charts.")] = None,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Train at moments of the past on what was known then, and test on what came after. Nothing is registered."""
    from tidemill.runner.backtest.walk import Asked

    span = read_duration(every)
    if span is None:
        raise SettingsError(
            f"--every must be a span of time; got {every!r}",
            hint="such as 1d, 1w or '12 hours'; 52w or 365d for a year",
        )
    if half_life and read_duration(half_life) is None:
        raise SettingsError(f"--half-life must be a span of time; got {half_life!r}", hint="such as 30d")
    html = html.absolute() if html else None
    asked = Asked(
        model=model,
        every=span,
        ages=ages,
        first=_moment("--from", first),
        last=_moment("--to", last),
        window=window,
        half_life=half_life,
        metric=metric,
        time=time,
        known=known,
    )
    with entered(project) as opened, status_line() as tell:
        found = opened.backtest(asked, listen=tell)
    if html is not None:
        from tidemill.runner.backtest.page import as_page

        write_text(as_page(found), html)
    if as_json:
        print(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
        return
    print(_text(found))
    if html is not None:
        print(f"wrote {html}")


def _moment(name: str, text: str) -> datetime | None:
    from tidemill.model_types._over_time import read_moment

    if not text:
        return None
    try:
        return read_moment(text)
    except ValueError:
        raise SettingsError(f"{name} must be a moment; got {text!r}", hint="such as 2026-03-01") from None


def _text(found: BacktestReport) -> str:
    import textwrap

    from tidemill.core.durations import show_duration
    from tidemill.runner.backtest.report import names_of, pace_words
    from tidemill.runner.result import text_table

    head = (
        f"{found.model}: {len(found.cuts)} trainings, {show_duration(found.every)} apart, on "
        f"{'all rows' if found.window == 'all' else 'the ' + found.window} known then"
    )
    lines = [head, ""]
    fresh = [
        (pace_words(one.age, found.every) if one.age else "fresh", *_figures(one.value, one.loss))
        for one in found.ageing.ages
    ]
    if fresh:
        lines += [text_table(["age", found.metric, "lost", "from", "to", "periods"], fresh), ""]
        names = names_of([one.every for one in found.ageing.paces], found.every)
        rows = [
            (name, *_figures(one.value, None if one.every == 1 else one.loss))
            for name, one in zip(names, found.ageing.paces, strict=True)
        ]
        lines += [text_table(["trained every", found.metric, "lost", "from", "to", "periods"], rows), ""]
    for said in (*found.said, *(f"left out: {note}" for note in found.notes[:5])):
        lines += textwrap.wrap(said, 100)
    if len(found.notes) > 5:
        lines.append(f"left out: {len(found.notes) - 5} more")
    lines.append(f"backtest {found.number} of tidemill.backtests, {found.seconds:.1f} s")
    return "\n".join(lines)


def _figures(value: object, loss: object) -> tuple[str, ...]:
    from tidemill.evaluation.ageing import Estimate

    assert isinstance(value, Estimate)  # noqa: S101 - the report's own
    if not isinstance(loss, Estimate):
        return (f"{value.value:.4g}", "-", "-", "-", str(value.periods))
    low, high = ("-", "-") if loss.low is None or loss.high is None else (f"{loss.low:.4f}", f"{loss.high:.4f}")
    return (f"{value.value:.4g}", f"{loss.value:.4f}", low, high, str(loss.periods))
