"""tidemill explain: why a prediction came out as it did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.runner.result import show, text_table


def explain(
    prediction: Annotated[str, typer.Argument(help="The prediction's id, as the server answered it.")],
    top: Annotated[int, typer.Option("--top", help="Show so many inputs; 0 shows all.", min=0)] = 10,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Explain in words and numbers."""
    with entered(project) as opened:
        logged, found = opened.explain(prediction)
    if as_json:
        print(json.dumps({"prediction": dict(logged), **found.as_json()}, indent=2, ensure_ascii=False, default=str))
        return
    print(f"prediction {logged['id']}: {logged['prediction']}, by {logged['model']} version {logged['version']}\n")
    print(f"{found.in_words()}\n")
    parts = found.attributions[:top] if top else found.attributions
    rows = [(part.feature, show(part.value), f"{part.attribution:+.4g}") for part in parts]
    print(text_table(["input", "value", f"adds to the {found.unit}"], rows, widest=80))
    if len(parts) < len(found.attributions):
        print(f"... and {len(found.attributions) - len(parts)} more: --top 0 shows all")
