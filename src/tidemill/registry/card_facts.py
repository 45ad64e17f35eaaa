"""What a model card says that is not in the version's row: figures worked out on its held-out rows, and human words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tidemill.registry.describe import Description

HUMAN = ("Intended use", "Out-of-scope use", "Factors", "Ethical considerations", "Caveats", "Owner", "License")
"""Headings of ``cards/NAME.md`` that have their place in the card; other headings follow at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricOn:
    """A metric with its interval; no interval where there are too few rows for one."""

    metric: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the held-out rows: a column's value, its rows, and figures by name."""

    column: str
    value: Any
    rows: int
    figures: Mapping[str, MetricOn] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Predictions of about the same size: how many, their mean, and what came of them."""

    rows: int
    predicted: float
    observed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything worked out on the rows a version was judged on.

    Parameters
    ----------
    kind, total, rows
        Whether training saw the rows; how many there are; how many were used.
    curve
        Points (false positive rate, recall) of two classes.
    scatter
        Points (label, prediction) of a regression.
    confusion
        Rows by label (first axis) and by called class.
    importance
        Features by their mean absolute attribution, the largest first.
    label_rows
        Rows of each class among them.
    """

    kind: str
    total: int
    rows: int
    confidence: float
    metrics: tuple[MetricOn, ...] = ()
    slices: tuple[Part, ...] = ()
    groups: tuple[Part, ...] = ()
    calibration: tuple[Bin, ...] = ()
    curve: tuple[tuple[float, float], ...] = ()
    scatter: tuple[tuple[float, float], ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    importance: tuple[tuple[str, float], ...] = ()
    label_rows: tuple[tuple[Any, int], ...] = ()

    @property
    def calibration_error(self) -> float | None:
        """Expected calibration error: mean distance of predicted and observed shares, weighted by rows.

        References
        ----------
        Naeini, Cooper and Hauskrecht, Obtaining well calibrated probabilities using Bayesian binning, AAAI 2015,
        https://doi.org/10.1609/aaai.v29i1.9602
        """
        rows = sum(one.rows for one in self.calibration)
        if not rows:
            return None
        return sum(one.rows * abs(one.predicted - one.observed) for one in self.calibration) / rows


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """Everything a card is made from.

    Parameters
    ----------
    figures
        None where the rows cannot be read again; ``why_no_figures`` says why.
    human
        What people wrote in ``cards/NAME.md``, by heading.
    declared
        The columns of slices and groups that deployments of the model declare, and the names of those deployments.
    """

    description: Description
    figures: Figures | None
    why_no_figures: str = ""
    human: Mapping[str, str] = field(default_factory=dict)
    declared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_human(text: str) -> dict[str, str]:
    """Cut ``cards/NAME.md`` at its headings of the second level; text before the first one is the intended use."""
    found: dict[str, str] = {}
    parts = re.split(r"^##[ \t]+(.+?)[ \t]*$", text, flags=re.MULTILINE)
    known = {name.casefold(): name for name in HUMAN}
    before = re.sub(r"\A\s*#[ \t].*$", "", parts[0], count=1, flags=re.MULTILINE).strip()
    if before:
        found["Intended use"] = before
    for heading, body in zip(parts[1::2], parts[2::2], strict=True):
        name = known.get(heading.casefold(), heading)
        found[name] = "\n\n".join(part for part in (found.get(name, ""), body.strip()) if part)
    return found
