"""A model card: what a version is for, what it was made from, how good it is and where nobody knows.

Figures come from the register and from the version's own held-out rows; what people have to say stands in
``cards/NAME.md`` and is merged in, so that a new version brings new figures and keeps the words.

References
----------
Mitchell et al., Model cards for model reporting, FAT* 2019, https://doi.org/10.1145/3287560.3287596
https://huggingface.co/docs/hub/model-cards#model-card-metadata
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidemill.analysis.documents.charts import Axis, bar_chart, line_chart
from tidemill.analysis.documents.document import Block, Bullets, Code, Document, Figure, Grid, Section, Text
from tidemill.core.words import class_text
from tidemill.registry.card_facts import HUMAN, CardFacts, MetricOn, Part
from tidemill.registry.card_limits import limits

UNSAID = "Nobody has written this down yet: write it under `## {0}` in `cards/{1}.md`."
_MOST_FEATURES = 12


def make_card(facts: CardFacts) -> Document:
    """Put a card together."""
    one = facts.description
    row, lineage = one.row, one.lineage
    task = f"{len(one.classes)} classes" if one.classes else "a number"
    when = f"{row.created_at:%Y-%m-%d %H:%M} UTC" if row.created_at else "-"
    top = [
        ("Predicts", f"{one.label} ({task})"),
        ("Type", row.model_type),
        ("Trained", when),
        ("Trained on", f"{row.rows_train:,} rows"),
        ("Judged on", f"{row.rows_eval:,} held-out rows" if row.rows_eval else "its own training rows"),
        ("By", lineage.who or "not recorded"),
        ("Aliases", ", ".join(one.aliases) or "none"),
        ("Digest", row.digest[:12]),
    ]
    if facts.figures and facts.figures.metrics:
        first = _headline(facts.figures.metrics)
        top.insert(1, (first.metric, _interval_text(first)))
    return Document(
        title=f"{row.name}, version {row.version}",
        lead=f"Predicts `{one.label}` from {len(one.manifest.get('inputs', []))} columns with a {row.model_type}.",
        facts=tuple(top),
        front=_front(facts),
        notices=tuple(_notices(facts)),
        sections=tuple(section for section in _sections(facts) if section.blocks),
    )


def _sections(facts: CardFacts) -> list[Section]:
    others = [(name, text) for name, text in facts.human.items() if name not in HUMAN]
    return [
        Section(title="Intended use", blocks=tuple(_intended(facts))),
        Section(title="Metrics", blocks=tuple(_metrics(facts))),
        Section(title="Slices and groups", blocks=tuple(_parts(facts))),
        Section(title="What it goes by", blocks=tuple(_importance(facts))),
        Section(title="Limits", blocks=(Bullets(items=tuple(limits(facts))),)),
        Section(title="Data", blocks=tuple(_data(facts))),
        Section(title="Features", blocks=tuple(_features(facts))),
        Section(title="Model details", blocks=tuple(_details(facts))),
        Section(title="Gates and deployments", blocks=tuple(_gates(facts))),
        Section(title="Ethical considerations", blocks=_human(facts, "Ethical considerations")),
        Section(title="Caveats", blocks=_human(facts, "Caveats", ask=False)),
        *(Section(title=name, blocks=(Text(text=text),)) for name, text in others),
        Section(title="Reproduce", blocks=tuple(_reproduce(facts))),
    ]


def _human(facts: CardFacts, heading: str, *, ask: bool = True) -> tuple[Block, ...]:
    text = facts.human.get(heading)
    if text:
        return (Text(text=text),)
    return (Text(text=UNSAID.format(heading, facts.description.row.name)),) if ask else ()


def _intended(facts: CardFacts) -> list[Block]:
    found: list[Block] = [*_human(facts, "Intended use")]
    for heading in ("Out-of-scope use", "Factors", "Owner", "License"):
        if facts.human.get(heading):
            found.append(Text(text=f"**{heading}.** {facts.human[heading]}"))
    return found


def _notices(facts: CardFacts) -> list[str]:
    one = facts.description
    found = []
    if facts.figures is None:
        found.append(f"The figures of this card are those recorded in training: {facts.why_no_figures}.")
    elif facts.figures.kind == "training":
        found.append("Nothing was held out: all figures are of rows the model was trained on, and flatter it.")
    for deployment in one.deployments:
        overridden = [gate for gate in deployment.gates if gate.overridden_by]
        found += [
            f"Gate **{gate.gate}** of deployment {deployment.name} said {gate.status} and was overridden by "
            f"{gate.overridden_by}: {gate.override_reason}"
            for gate in overridden
        ]
    return found


def _headline(metrics: Sequence[MetricOn]) -> MetricOn:
    """The metric that stands at the top."""
    by_name = {one.metric: one for one in metrics}
    for name in ("roc_auc", "mean_absolute_error"):
        if name in by_name:
            return by_name[name]
    return metrics[0]


def _interval_text(one: MetricOn) -> str:
    if one.low is None or one.high is None:
        return f"{one.value:.4g}"
    return f"{one.value:.4g} ({one.low:.4g} to {one.high:.4g})"


def _metrics(facts: CardFacts) -> list[Block]:
    figures, one = facts.figures, facts.description
    if figures is None:
        rows = tuple((name, value) for name, value in sorted(one.metrics.items()))
        return [Grid(columns=("metric", "value"), rows=rows)]
    what = "held-out rows" if figures.kind == "evaluation" else "training rows"
    some = (
        f"{figures.rows:,} of {figures.total:,} {what}" if figures.rows < figures.total else f"{figures.rows:,} {what}"
    )
    found: list[Block] = [
        Grid(
            columns=("metric", "value", "low", "high"),
            rows=tuple((each.metric, each.value, each.low, each.high) for each in figures.metrics),
            caption=f"On {some}, with {figures.confidence:.0%} intervals.",
        )
    ]
    return found + _charts(facts)


def _charts(facts: CardFacts) -> list[Block]:
    figures, one = facts.figures, facts.description
    assert figures is not None  # noqa: S101 - the caller has looked
    found: list[Block] = []
    if figures.curve:
        rates, recalls = Axis(name="false positive rate"), Axis(name="recall")
        svg = line_chart("ROC curve", rates, recalls, line=figures.curve, diagonal=True)
        found.append(Figure(title="ROC curve", svg=svg, grid=_few(("false positive rate", "recall"), figures.curve)))
    if figures.calibration:
        points = [(bin_.predicted, bin_.observed) for bin_ in figures.calibration]
        svg = line_chart(
            "Calibration", Axis(name="mean predicted probability"), Axis(name="observed share"), line=points,
            dots=points, diagonal=True,
        )  # fmt: skip
        rows = tuple((bin_.rows, bin_.predicted, bin_.observed) for bin_ in figures.calibration)
        grid = Grid(columns=("rows", "predicted", "observed"), rows=rows)
        found.append(Figure(title=f"Calibration of {class_text(one.classes[-1])}", svg=svg, grid=grid))
    if figures.scatter:
        values = [value for point in figures.scatter for value in point]
        low, high = min(values), max(values)
        svg = line_chart(
            "Predictions and labels", Axis(name=one.label, low=low, high=high),
            Axis(name="predicted", low=low, high=high), dots=figures.scatter, diagonal=True, small=True,
        )  # fmt: skip
        grid = _few((one.label, "predicted"), sorted(figures.scatter))
        found.append(Figure(title="Predictions and labels", svg=svg, grid=grid))
    if figures.confusion:
        names = [class_text(value) for value in one.classes]
        counted = tuple((name, *counts) for name, counts in zip(names, figures.confusion, strict=True))
        caption = "Rows by their label (down) and by the class they were given (across)."
        found.append(Grid(columns=(one.label, *names), rows=counted, caption=caption))
    return found


def _few(columns: tuple[str, ...], points: Sequence[tuple[float, float]]) -> Grid:
    """Every so many points of a curve, first and last included."""
    step = max(1, (len(points) - 1) // 8)
    rows = tuple(dict.fromkeys([*points[::step], points[-1]]))
    return Grid(columns=columns, rows=rows)


def _parts(facts: CardFacts) -> list[Block]:
    figures = facts.figures
    if figures is None:
        return []
    found: list[Block] = []
    for what, parts in (("slice", figures.slices), ("group", figures.groups)):
        for column in dict.fromkeys(part.column for part in parts):
            found.append(_part_grid(what, column, [part for part in parts if part.column == column]))
    return found or [Text(text=_undeclared(facts))]


def _undeclared(facts: CardFacts) -> str:
    names = facts.declared.get("deployments") or (facts.description.row.name,)
    sections = " or ".join(f"`[deployments.{name}.gates]`" for name in names)
    return (
        "No slices and no groups are declared, so none were looked at: name columns under `slices` and `groups` in "
        f"{sections} of tidemill.toml."
    )


def _part_grid(what: str, column: str, parts: Sequence[Part]) -> Grid:
    names = list(dict.fromkeys(name for part in parts for name in part.figures))
    rows = tuple(
        (
            "NULL" if part.value is None else class_text(part.value),
            part.rows,
            *(_interval_text(part.figures[name]) if name in part.figures else "too few rows" for name in names),
        )
        for part in parts
    )
    return Grid(columns=(column, "rows", *names), rows=rows, caption=f"By {what}: {column}")


def _importance(facts: CardFacts) -> list[Block]:
    if facts.figures is None or not facts.figures.importance:
        return []
    shown = facts.figures.importance[:_MOST_FEATURES]
    grid = Grid(columns=("feature", "mean absolute attribution"), rows=tuple(shown))
    text = (
        "How much each feature moves the score on average; attributions say what the model uses, not what causes what."
    )
    return [
        Text(text=text),
        Figure(title="Features that move the score most", svg=bar_chart("Features", shown), grid=grid),
    ]


def _data(facts: CardFacts) -> list[Block]:
    one, lineage = facts.description, facts.description.lineage
    if not lineage.pinned:
        return [Text(text="What it read was not recorded when it was trained.")]
    rows: list[tuple[str, str]] = [(f"table {name}", f"version {version}") for name, version in lineage.tables.items()]
    rows += [(f"model {name}", f"version {version}") for name, version in lineage.models.items()]
    rows += [
        (f"file {path}", f"SHA-256 {digest[:16]}…")
        for files in lineage.files.values()
        for path, digest in files.items()
    ]
    split = one.manifest.get("split", {})
    by = f" by `{split['column']}`" if split.get("column") else ""
    return [
        Grid(columns=("read", "as of"), rows=tuple(rows)),
        Text(
            text=f"Snapshot {lineage.snapshot} of the warehouse. {one.row.rows_train:,} rows trained, "
            f"{one.row.rows_eval:,} were held out (`DATA_SPLIT_METHOD = '{split.get('method', '?')}'`{by})."
        ),
    ]


def _features(facts: CardFacts) -> list[Block]:
    one = facts.description
    total = one.row.rows_train
    rows = tuple(
        (
            info["input"],
            f"{info.get('null_count') or 0:,} ({(info.get('null_count') or 0) / total:.1%})" if total else "-",
            info.get("mean"),
            info.get("stddev"),
            info.get("min"),
            info.get("max"),
            info.get("category_count"),
        )
        for info in one.row.feature_info
    )
    columns = ("feature", "NULL", "mean", "stddev", "min", "max", "categories")
    return [Grid(columns=columns, rows=rows, caption="In the training rows.")] if rows else []


def _details(facts: CardFacts) -> list[Block]:
    one, row, lineage = facts.description, facts.description.row, facts.description.lineage
    rows: list[tuple[str, Any]] = [
        ("digest", row.digest),
        ("size", f"{row.bytes / 1e6:.2f} MB in {len(row.files)} files"),
        ("classes", ", ".join(map(class_text, one.classes)) or "-"),
        ("trained by", f"{lineage.who or 'not recorded'}, because: {lineage.why or 'not recorded'}"),
        ("run", row.run_id),
        ("seed, threads", f"{lineage.seed}, {lineage.threads}"),
        ("options", ", ".join(f"{name} = {value}" for name, value in sorted(one.given.items())) or "all as by default"),
        ("made with", ", ".join(f"{name} {version}" for name, version in lineage.libraries.items()) or "not recorded"),
        ("source of tidemill", lineage.code_digest or "not recorded"),
    ]
    found: list[Block] = [Grid(columns=("", ""), rows=tuple(rows))]
    return [*found, Code(text=lineage.statement.strip(), language="sql")] if lineage.statement else found


def _gates(facts: CardFacts) -> list[Block]:
    found: list[Block] = []
    for deployment in facts.description.deployments:
        since = f" since {deployment.since:%Y-%m-%d %H:%M} UTC" if deployment.since else ""
        reason = f" ({deployment.reason})" if deployment.reason else ""
        found.append(Text(text=f"Deployment **{deployment.name}**: {deployment.state}{since}{reason}."))
        if deployment.gates:
            rows = tuple((gate.gate, gate.status, gate.summary, _override(gate)) for gate in deployment.gates)
            found.append(Grid(columns=("gate", "says", "why", "overridden"), rows=rows))
    return found or [Text(text="It is in no deployment, and no gates were run on it.")]


def _override(gate: Any) -> str:
    return f"{gate.overridden_by}: {gate.override_reason}" if gate.overridden_by else "-"


def _reproduce(facts: CardFacts) -> list[Block]:
    row = facts.description.row
    if not facts.description.lineage.pinned:
        return [Text(text="This version cannot be trained again: what it read was not recorded.")]
    return [
        Text(text="Trains again from the recorded snapshot, SQL, options, seed and threads, and compares the digests:"),
        Code(text=f"tidemill models {row.name} {row.version} --retrain", language="sh"),
    ]


def _front(facts: CardFacts) -> dict[str, Any]:
    """What hubs read: https://github.com/huggingface/hub-docs/blob/main/modelcard.md."""
    one, row = facts.description, facts.description.row
    kind = "tabular-classification" if one.classes else "tabular-regression"
    metrics = facts.figures.metrics if facts.figures else [
        MetricOn(metric=name, value=value) for name, value in sorted(one.metrics.items())
    ]  # fmt: skip
    license_ = facts.human.get("License")
    return {
        **({"license": license_.strip()} if license_ else {}),
        "library_name": "tidemill",
        "pipeline_tag": kind,
        "tags": ["tabular", kind, row.model_type.lower().replace("_", "-")],
        "datasets": list(one.lineage.tables),
        "metrics": [each.metric for each in metrics],
        "model-index": [
            {
                "name": f"{row.name} version {row.version}",
                "results": [
                    {
                        "task": {"type": kind},
                        "dataset": {
                            "name": ", ".join(one.lineage.tables) or "not recorded",
                            "type": "tidemill",
                            "split": row.evaluated_on,
                            "revision": f"snapshot {one.lineage.snapshot}",
                        },
                        "metrics": [{"type": each.metric, "value": each.value} for each in metrics],
                    }
                ],
            }
        ],
    }
