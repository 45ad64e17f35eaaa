"""The columns of a model: its features, its label, and what it predicts, each with what flows into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tidemill.column_lineage.expressions import flow_of
from tidemill.column_lineage.flow import Flow, Out, Relation, merged, through
from tidemill.column_lineage.graph import ColumnRef
from tidemill.column_lineage.scope import Catalog, Scope, Source
from tidemill.core.names import name_key
from tidemill.model_types.table import find_model_type
from tidemill.sql.statements import CreateModel, TransformItem


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelColumns:
    """What a query sees of a model.

    Parameters
    ----------
    label
        The label's name as predictions have it; '' when it is not known.
    classifier
        Whether predictions have probabilities; None when nobody knows.
    inputs
        Keys of the raw columns that it reads from the rows it scores; None when they are not known.
    transform
        Names of the columns of its TRANSFORM clause.
    """

    key: str
    label: str = ""
    classifier: bool | None = None
    inputs: frozenset[str] | None = None
    transform: tuple[str, ...] = ()

    @property
    def prediction(self) -> str:
        """The column that predictions are in."""
        return f"predicted_{self.label or 'label'}"

    @property
    def predictions(self) -> tuple[str, ...]:
        """All columns that ML.PREDICT adds."""
        return (self.prediction,) if self.classifier is False else (self.prediction, f"{self.prediction}_probs")


def model_relation(
    statement: CreateModel, rows: Relation, key: str, *, catalog: Catalog
) -> tuple[Relation, ModelColumns]:
    """The columns of a model that a statement makes, of the rows of its query."""
    options = {option.name.lower(): option.value for option in statement.options}
    model_type = find_model_type(str(options.get("model_type", "")))
    label = _named(rows, _first(options.get("input_label_cols")) or "label")
    roles = {name_key(label): "label"} if label else {}
    for option, role in (("data_split_col", "split"), ("instance_weight_col", "weight")):
        if options.get(option):
            roles[name_key(str(options[option]))] = role
    features, raw = _features(statement.transform, rows, roles, catalog)
    special = [replace(column, role=roles[name_key(column.name)]) for column in rows.columns
               if name_key(column.name) in roles]  # fmt: skip
    learned_from = [ColumnRef(key, name_key(column.name)) for column in (*features, *special)]
    learnt = dict.fromkeys(learned_from, frozenset(("training",)))
    task = model_type.task if model_type else None
    columns = ModelColumns(
        key=key,
        label=label,
        classifier=None if task is None else task == "classification",
        inputs=raw,
        transform=tuple(item.name for item in statement.transform if item.name),
    )
    predicts = task in ("classification", "regression", None)
    made = [Out(name=name, flow=learnt, role="prediction") for name in columns.predictions] if predicts else []
    rest = () if statement.transform and not any(item.star for item in statement.transform) else rows.rest
    relation = Relation(columns=(*features, *special, *made), rest=rest, other=rows.other, rows=rows.rows)
    return relation, columns


def _first(value: Any) -> str:
    return str(value[0]) if isinstance(value, list | tuple) and value else str(value or "")


def _named(rows: Relation, name: str) -> str:
    """A column's name as the query writes it."""
    found = rows.find(name)
    return found.name if found else ""


def _features(
    transform: Sequence[TransformItem], rows: Relation, roles: dict[str, str], catalog: Catalog
) -> tuple[list[Out], frozenset[str] | None]:
    """The features, and the keys of the raw columns behind them (None when not all are known)."""
    if not transform:
        kept = [replace(out, role="feature") for out in rows.columns if name_key(out.name) not in roles]
        return kept, frozenset(name_key(out.name) for out in kept) if rows.complete else None
    # Once over the query's columns as they are, to learn which it reads; once over what flows into those.
    own = "\0rows"
    plain = [replace(out, flow={ColumnRef(own, name_key(out.name)): frozenset(("identity",))}) for out in rows.columns]
    scope = _scope(replace(rows, columns=tuple(plain)), catalog)
    real = {ColumnRef(own, name_key(out.name)): out.flow for out in rows.columns}
    made: list[Out] = []
    raw: set[str] = set()
    for item in transform:
        for out in _outs(item, scope):
            if name_key(out.name) in roles:
                continue
            raw |= {ref.column for ref in out.flow if ref.node == own}
            made.append(Out(name=out.name, flow=_put_back(out.flow, real), role="feature"))
    open_star = not rows.complete and any(item.star for item in transform)
    return made, None if open_star else frozenset(raw)


def _scope(rows: Relation, catalog: Catalog) -> Scope:
    # A TRANSFORM clause holds no queries.
    scope = Scope(catalog=catalog, trace=lambda *_: Relation())
    scope.sources.append(Source(name="", path="", relation=rows))
    return scope


def _outs(item: TransformItem, scope: Scope) -> list[Out]:
    if not item.star:
        return [Out(name=item.name, flow=flow_of(item.tree, scope))]
    gone = {name_key(name) for name in item.excepted}
    instead = {name_key(part.name): part for part in item.replaced}
    return [
        replace(out, flow=flow_of(instead[name_key(out.name)].tree, scope)) if name_key(out.name) in instead else out
        for _, out in scope.listed()
        if name_key(out.name) not in gone
    ]


def _put_back(flow: Flow, real: dict[ColumnRef, Flow]) -> Flow:
    """Replace the query's own columns by what flows into them."""
    parts: list[Flow] = []
    for ref, ways in flow.items():
        for way in ways:
            parts.append(through(real[ref], way) if ref in real else {ref: frozenset((way,))})
    return merged(parts)
