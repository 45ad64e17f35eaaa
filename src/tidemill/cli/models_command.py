"""tidemill models: what there is, and how it was judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.output import plain
from tidemill.cli.words import duration
from tidemill.core.errors import NotFoundError
from tidemill.core.names import did_you_mean
from tidemill.runner.result import text_table

STRUCTURES = ("options", "lineage", "warnings", "files")


def models(
    name: Annotated[str | None, typer.Argument(help="Only this model; else all.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every version, not only the current ones.")] = False,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Print the models with their metrics on the rows kept apart in training."""
    with entered(project) as opened:
        known = [one.name for one in opened.models()]
        if name is not None and name.lower() not in map(str.lower, known):
            raise NotFoundError(f"there is no model {name}", hint=did_you_mean(name, known))
        if not known:
            print("[]" if as_json else "no models: CREATE MODEL makes one")
            return
        table = "model_versions" if all_ else "models"
        rows = opened.sql(f"SELECT * FROM tidemill.{table}").to_arrow().to_pylist()
        judged = opened.sql("SELECT model, version, metric, value FROM tidemill.metrics").to_arrow().to_pylist()
    if name is not None:
        rows = [row for row in rows if row["name"].lower() == name.lower()]
    metrics: dict[tuple[str, int], dict[str, float]] = {}
    for row in judged:
        metrics.setdefault((row["model"], row["version"]), {})[row["metric"]] = row["value"]
    found = [{**_decoded(row), "metrics": metrics.get((row["name"], row["version"]), {})} for row in rows]
    print(json.dumps(plain(found), indent=2, ensure_ascii=False) if as_json else describe_models(found, every=all_))


def _decoded(row: dict[str, Any]) -> dict[str, Any]:
    """The columns that hold JSON text as what they say."""
    return {name: json.loads(value) if value and name in STRUCTURES else value for name, value in row.items()}


def describe_models(rows: list[dict[str, Any]], *, every: bool = False) -> str:
    """The models as a table, their metrics in one column; every version also with its time, run and digest."""
    shown = [
        (
            row["name"],
            row["version"],
            row["model_type"],
            f"{row['created_at']:%Y-%m-%d %H:%M}",
            row["rows_train"],
            row["rows_eval"],
            *((duration(row["seconds"]), row["run_id"], row["digest"][:12]) if every else ()),
            ", ".join(f"{name} {value:.4g}" for name, value in row["metrics"].items() if value is not None),
        )
        for row in rows
    ]
    names = ["model", "version", "type", "created (UTC)", "trained on", "judged on"]
    names += [*(["took", "run", "digest"] if every else []), "metrics"]
    return text_table(names, shown, widest=160)
