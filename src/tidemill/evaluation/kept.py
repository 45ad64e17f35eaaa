"""What was learnt from held-out rows as plain arrays, so that it can be kept and need not be learnt again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import numpy as np  # noqa: TID253

from tidemill.core.errors import InternalError
from tidemill.evaluation.class_estimate import ClassifierEstimator
from tidemill.evaluation.estimated import Estimator
from tidemill.evaluation.loss_estimate import RegressorEstimator
from tidemill.evaluation.sides import Side, Sides
from tidemill.evaluation.smooth import Basis, Curve

FORMAT = 1
"""Another number: what is learnt became something else, and what was kept before counts no longer."""

Arrays = Mapping[str, np.ndarray]


def sides_to_arrays(sides: Sides) -> dict[str, np.ndarray]:
    """The columns that are read, as arrays by name."""
    found = {"names": np.array(sides.names), "centre": sides.centre, "spread": sides.spread}
    for place, one in enumerate(sides.sides):
        if one.knots is None:
            found[f"{place}/texts"] = np.array(one.texts)
        else:
            found |= {f"{place}/knots": one.knots, f"{place}/middle": np.array(one.middle)}
    return found


def sides_from_arrays(arrays: Arrays) -> Sides:
    """The columns that `sides_to_arrays` wrote."""
    return Sides(
        sides=tuple(_side(str(name), place, arrays) for place, name in enumerate(arrays["names"])),
        centre=arrays["centre"],
        spread=arrays["spread"],
    )


def _side(name: str, place: int, arrays: Arrays) -> Side:
    if f"{place}/texts" in arrays:
        return Side(name=name, texts=tuple(map(str, arrays[f"{place}/texts"])))
    return Side(name=name, knots=arrays[f"{place}/knots"], middle=float(arrays[f"{place}/middle"]))


def estimator_to_arrays(estimator: Estimator) -> dict[str, np.ndarray]:
    """An estimator as arrays by name."""
    if isinstance(estimator, ClassifierEstimator):
        found = {"classes": np.array(estimator.classes)}
        for place, curve in enumerate(estimator.curves):
            found |= _curve_to_arrays(curve, f"curves/{place}")
        return found
    if isinstance(estimator, RegressorEstimator):
        found = {}
        for metric, (curve, spread) in estimator.curves.items():
            found |= {f"losses/{metric}": np.array(spread), **_curve_to_arrays(curve, f"curves/{metric}")}
        return found
    raise InternalError(f"{type(estimator).__name__} cannot be kept")


def estimator_from_arrays(arrays: Arrays) -> Estimator:
    """The estimator that `estimator_to_arrays` wrote."""
    if "classes" in arrays:
        classes = int(arrays["classes"])
        curves = (_curve(arrays, f"curves/{place}") for place in range(1 if classes == 2 else classes))
        return ClassifierEstimator(curves=tuple(curves), classes=classes)
    metrics = [name.removeprefix("losses/") for name in arrays if name.startswith("losses/")]
    return RegressorEstimator(
        curves={one: (_curve(arrays, f"curves/{one}"), float(arrays[f"losses/{one}"])) for one in metrics}
    )


def _curve_to_arrays(curve: Curve, under: str) -> dict[str, np.ndarray]:
    found = {
        f"{under}/{one.name}": np.asarray(getattr(curve, one.name)) for one in fields(Curve) if one.name != "basis"
    }
    basis = {f"{under}/basis/{one.name}": getattr(curve.basis, one.name) for one in fields(Basis)}
    return found | basis


def _curve(arrays: Arrays, under: str) -> Curve:
    basis = Basis(**{one.name: arrays[f"{under}/basis/{one.name}"] for one in fields(Basis)})
    return Curve(
        basis=basis,
        weights=arrays[f"{under}/weights"],
        covariance=arrays[f"{under}/covariance"],
        share=bool(arrays[f"{under}/share"]),
        low=float(arrays[f"{under}/low"]),
        high=float(arrays[f"{under}/high"]),
    )
