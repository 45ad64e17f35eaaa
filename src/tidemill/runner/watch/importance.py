"""How much of a model hangs on each raw column: what moved most matters by this much."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tidemill.runner.functions.facts import ModelFacts

if TYPE_CHECKING:
    from tidemill.registry.versions import LoadedModel


def importances(model: LoadedModel) -> dict[str, float]:
    """Shares of the raw columns, which add up to 1; none where the model type tells nothing.

    The mean absolute attributions where training kept them, else the gain of the trees' splits, or the spread of a
    linear model's standardised weights. What a feature of TRANSFORM has, its columns share.
    """
    facts = ModelFacts(model)
    return _shares(_by_column(_by_feature(facts), model.manifest))


def _by_feature(facts: ModelFacts) -> dict[str, float]:
    names = [feature.name for feature in facts.plan.features]
    explained = facts.info.get("global_explain")
    if explained is not None:
        return dict(zip(explained["features"], map(abs, explained["overall"]), strict=True))
    by_encoded = _by_encoded(facts)
    if not by_encoded:
        return {}
    from tidemill.features.plan import encoded_columns

    found = dict.fromkeys(names, 0.0)
    for column, value in zip(encoded_columns(facts.plan), by_encoded, strict=True):
        found[names[column.feature]] += value
    return found


def _by_encoded(facts: ModelFacts) -> list[float]:
    fitted = facts.fitted
    if "importance" in fitted:
        importance = fitted["importance"]
        return [weight * gain for weight, gain in zip(importance["weight"], importance["gain"], strict=True)]
    if str(fitted.get("kind", "")) in {"linear", "softmax"} or "weights" in fitted:
        per_class = [weights for weights, _ in facts.weights()]
        return [math.fsum(abs(value) for value in column) for column in zip(*per_class, strict=True)]
    return []


def _by_column(features: Mapping[str, float], manifest: Mapping[str, Any]) -> dict[str, float]:
    inputs = {str(given["name"]).casefold(): str(given["name"]) for given in manifest["inputs"]}
    formulas = {str(one["name"]).casefold(): str(one["sql"]) for one in manifest.get("transform") or ()}
    found = dict.fromkeys(inputs.values(), 0.0)
    for feature, value in features.items():
        formula = formulas.get(feature.casefold())
        read = [inputs[feature.casefold()]] if feature.casefold() in inputs and formula is None else []
        if formula is not None:
            read = [inputs[name] for name in _columns_in(formula) if name in inputs]
        for column in read:
            found[column] += value / len(read)
    return found


def _columns_in(formula: str) -> list[str]:
    """Names, folded, of the columns that a formula of TRANSFORM reads, each once."""
    import sqlglot
    from sqlglot import exp

    parsed = sqlglot.parse_one(formula, dialect="duckdb")
    return list(dict.fromkeys(column.name.casefold() for column in parsed.find_all(exp.Column)))


def _shares(values: Mapping[str, float]) -> dict[str, float]:
    total = math.fsum(values.values())
    return {name: value / total for name, value in values.items()} if total > 0 else {}
