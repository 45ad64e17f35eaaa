"""What sqlglot's translation of another dialect leaves to do: names, UNNEST of structs, functions nobody has."""

from __future__ import annotations

from typing import Any

from sqlglot import exp  # noqa: TID253

from tidemill.core.errors import BindError, UnsupportedError, Where
from tidemill.sql.text import Text

# Array columns of ML functions whose elements are structs: UNNEST gives one column per field.
STRUCT_ARRAYS = ("top_feature_attributions", "category_weights", "nearest_centroids_distance", "factor_weights")
FARM = (
    "FARM_FINGERPRINT has no counterpart in the engine; for a repeatable split use hash(...) in the duckdb dialect, or "
    "the model's DATA_SPLIT_METHOD"
)


def adapt(tree: exp.Expr, text: Text | None) -> None:
    """Change a tree in place so that the engine's SQL means what the statement said.

    Raises
    ------
    UnsupportedError
        It uses a function that the engine does not have.
    """
    for node in list(tree.walk()):
        if isinstance(node, exp.Table) and node.args.get("catalog"):
            node.set("catalog", None)
        elif isinstance(node, exp.Unnest):
            _spread_structs(node)
        elif isinstance(node, exp.FarmFingerprint):
            raise UnsupportedError(FARM, where=_where(node, text), function="FARM_FINGERPRINT")
        elif isinstance(node, exp.SafeFunc | exp.NetFunc):
            prefix = "SAFE" if isinstance(node, exp.SafeFunc) else "NET"
            raise UnsupportedError(
                f"{prefix}.{_function_name(node.this)} cannot be translated",
                where=_where(node.this, text),
                hint="use SAFE_CAST, SAFE_DIVIDE or IF to guard the value",
            )
        elif isinstance(node, exp.Parameter | exp.Placeholder):
            raise BindError("a query parameter has no value here", where=_where(node, text), hint="write the value")


def _function_name(node: Any) -> str:
    if isinstance(node, exp.Anonymous):
        return node.name.upper()
    return node.sql_name() if isinstance(node, exp.Func) else "function"


def _spread_structs(node: exp.Unnest) -> None:
    """UNNEST of an ML function's array of structs: BigQuery names the fields as columns."""
    source = node.expressions[0] if node.expressions else None
    if node.args.get("offset"):
        return  # then the element has an alias of its own
    if not isinstance(source, exp.Column | exp.Dot):
        return
    name = source.name.lower()
    if name.endswith("_probs") or name in STRUCT_ARRAYS:
        node.set("explode_array", True)


def _where(node: Any, text: Text | None) -> Where | None:
    if text is None or not isinstance(node, exp.Expr):
        return None
    meta = next((part.meta for part in node.walk() if "start" in part.meta and "end" in part.meta), None)
    return text.where(meta["start"], meta["end"] + 1) if meta else None
