"""The limits of a version, worked out from its facts: what was not evaluated, and where figures stand on few rows."""

from __future__ import annotations

from collections.abc import Iterator

from tidemill.core.words import class_text, listed
from tidemill.registry.card_facts import CardFacts

FEW_ROWS = 200
FEW_OF_A_CLASS = 30
POOR_CALIBRATION = 0.05


def limits(facts: CardFacts) -> list[str]:
    """Sentences for people who are about to rely on the model; never empty."""
    return [*_figures(facts), *_time(facts), *_columns(facts), *_undeclared(facts), *_process(facts), *_always(facts)]


def _figures(facts: CardFacts) -> Iterator[str]:
    figures, row = facts.figures, facts.description.row
    if figures is None:
        yield f"Intervals, slices and calibration were not worked out: {facts.why_no_figures}."
        return
    if figures.kind == "training":
        yield "No rows were held out: how the model does on rows it has not seen is not known."
    elif figures.total < FEW_ROWS:
        yield f"Only {figures.total:,} rows were held out: read the intervals, not the values."
    few = [(value, rows) for value, rows in figures.label_rows if rows < FEW_OF_A_CLASS]
    for value, rows in few:
        label = class_text(value)
        yield f"Only {rows:,} of the rows it was judged on have the label {label}: figures about them are rough."
    error = figures.calibration_error
    if error is not None and error > POOR_CALIBRATION:
        yield f"Its probabilities are off by {error:.1%} on average: do not read them as frequencies."
    small = [part for part in (*figures.slices, *figures.groups) if not part.figures]
    if small:
        named = listed([f"{part.column} = {class_text(part.value)}" for part in small])
        yield f"Too few rows to judge it on: {named}."
    yield from row.warnings
    if facts.description.erased:
        tables = sorted({table for flag in facts.description.erased for table in flag.tables})
        yield (
            f"It was trained on rows of {listed(tables)} that were erased since: trained again from the same "
            "snapshot, it would not be the same."
        )


def _time(facts: CardFacts) -> Iterator[str]:
    method = str(facts.description.manifest.get("split", {}).get("method", ""))
    if method in ("AUTO_SPLIT", "RANDOM") and facts.description.row.rows_eval:
        yield (
            "The held-out rows were drawn at random from the same period as the training rows: how well the model "
            "does on later rows was not evaluated."
        )


def _columns(facts: CardFacts) -> Iterator[str]:
    row = facts.description.row
    info = [one for one in row.feature_info if row.rows_train]
    empty = [str(one["input"]) for one in info if (one.get("null_count") or 0) >= row.rows_train]
    holes = [
        f"{one['input']} ({one['null_count'] / row.rows_train:.1%})"
        for one in sorted(info, key=lambda one: -(one.get("null_count") or 0))
        if 0 < (one.get("null_count") or 0) < row.rows_train
    ]
    never = [str(one["input"]) for one in info if not one.get("null_count")]
    categories = [str(one["input"]) for one in info if one.get("category_count")]
    if empty:
        yield f"NULL in all training rows, so the model learnt nothing of them: {listed(empty)}."
    if holes:
        yield f"NULL in part of the training rows: {listed(holes)}."
    if never:
        yield f"Never NULL in training, so answers for rows where they are NULL were not evaluated: {listed(never)}."
    if categories:
        yield (
            "Categories that training did not see are read as unknown; how good such answers are was not evaluated: "
            f"{listed(categories)}."
        )


def _undeclared(facts: CardFacts) -> Iterator[str]:
    if not facts.declared.get("groups"):
        yield "No protected groups are declared: differences between groups of people were not evaluated."
    if not facts.declared.get("slices"):
        yield "No slices are declared: parts of the data on which the model does badly may have gone unseen."
    absent = facts.declared.get("absent", ())
    if absent:
        yield f"Declared for slices or groups, but not among the columns of the training query: {listed(absent)}."


def _process(facts: CardFacts) -> Iterator[str]:
    gates = [gate for deployment in facts.description.deployments for gate in deployment.gates]
    if not gates:
        yield "No gates were run on this version."
    for gate in gates:
        if gate.status != "pass":
            yield f"Gate {gate.gate} said {gate.status}: {gate.summary}"


def _always(facts: CardFacts) -> Iterator[str]:
    label = facts.description.label
    yield f"It predicts {label} from what goes along with it, not from what causes it."
