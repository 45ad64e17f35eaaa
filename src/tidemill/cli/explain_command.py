"""tidemill explain: why a prediction came out as it did."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.output import plain
from tidemill.cli.parameters import argument, option
from tidemill.runner.result import show, text_table

if TYPE_CHECKING:
    from tidemill.serving.online.explain import Attribution, Explanation

NAMED = 3
"""How many inputs the words name on either side."""


def explain(
    prediction: Annotated[str, argument(about="The prediction's id, as the server answered it.")],
    top: Annotated[int, option("--top", about="Show so many inputs; 0 shows all.", least=0)] = 10,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Explain in words and numbers."""
    with entered(project) as opened:
        logged, found = opened.explain(prediction)
    if as_json:
        told = {"prediction": dict(logged), "explanation": asdict(found)}
        print(json.dumps(plain(told), indent=2, ensure_ascii=False))
        return
    print(f"prediction {logged['id']}: {logged['prediction']}, by {logged['model']} version {logged['version']}\n")
    print(in_words(found))
    parts = found.attributions[:top] if top else found.attributions
    rows = [(part.feature, show(part.value), f"{part.attribution:+.4g}") for part in parts]
    print(f"\n{text_table(['input', 'value', f'adds to the {found.unit}'], rows, widest=80)}")
    if len(parts) < len(found.attributions):
        print(f"... and {len(found.attributions) - len(parts)} more: --top 0 shows all")


def in_words(found: Explanation) -> str:
    """The explanation as one would say it."""
    up = [part for part in found.attributions if part.attribution > 0][:NAMED]
    down = [part for part in found.attributions if part.attribution < 0][:NAMED]
    start = f"Without knowing anything of the row, the {found.unit} would be {found.baseline:.4g}"
    lines = [f"{start}; with it, it is {found.score:.4g}."]
    if up:
        lines.append(f"Most towards more: {_listed(up)}.")
    if down:
        lines.append(f"Most towards less: {_listed(down)}.")
    return "\n".join(lines)


def _listed(parts: Sequence[Attribution]) -> str:
    return ", ".join(f"{part.feature} = {show(part.value)} ({part.attribution:+.3g})" for part in parts)
