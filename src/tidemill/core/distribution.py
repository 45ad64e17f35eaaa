"""How the values of one column are distributed: counts between edges, or by value. Plain data that can be kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

DistributionKind = Literal["number", "time", "text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Rows of a column by where their value stands.

    Parameters
    ----------
    kind
        ``number``; ``time`` (dates, times and timestamps, as seconds since 1970); ``text`` (all that is counted by
        value: texts and booleans).
    edges
        Rising edges of a number or a time, n of them; ``counts`` then has n + 1 entries: values up to the first edge
        (inclusive), between neighbours ``(low, high]``, above the last one.
    values
        The values of a text that are counted each; ``counts`` then has one entry a value.
    other
        Rows with a text that is not among the values.
    examples
        The most frequent texts that are not among the values, a few; none where they were not looked for.
    complete
        Whether, when the values were listed, they were all there are: then ``other`` counts new ones.
    nulls
        Rows without a value.
    not_finite
        Rows with NaN or infinity; not in ``counts``.
    mean, low, high
        Of the finite numbers or times; None for texts and where there is no value.
    deviation
        Of the same; of very many rows it is that of a sample, or None.
    """

    column: str
    kind: DistributionKind
    counts: tuple[int, ...]
    edges: tuple[float, ...] = ()
    values: tuple[str, ...] = ()
    other: int = 0
    examples: tuple[str, ...] = ()
    complete: bool = True
    nulls: int = 0
    not_finite: int = 0
    mean: float | None = None
    deviation: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def present(self) -> int:
        """Rows with a value."""
        return sum(self.counts) + self.other + self.not_finite

    @property
    def filled(self) -> int:
        """Rows whose value is among those that are compared: neither missing nor not finite."""
        return sum(self.counts) + self.other

    @property
    def missing(self) -> int:
        """Rows without a value, or without a finite one: a model takes both for missing."""
        return self.nulls + self.not_finite

    @property
    def bins(self) -> tuple[int, ...]:
        """The counts, and for texts those of all others behind them."""
        return (*self.counts, self.other) if self.kind == "text" else self.counts

    @property
    def rows(self) -> int:
        """All rows."""
        return self.present + self.nulls

    def as_json(self) -> dict[str, Any]:
        """Plain data, from which `distribution_from_json` makes the same distribution again."""
        return asdict(self)


def without_values(found: Distribution) -> Distribution:
    """How many rows stand together, and not with which value: for a column of personal data."""
    return replace(
        found,
        edges=(),
        values=tuple(f"value {place}" for place in range(1, len(found.values) + 1)),
        examples=(),
        mean=None,
        deviation=None,
        low=None,
        high=None,
    )


def comparable(one: Distribution, other: Distribution) -> bool:
    """Whether two distributions count in the same bins."""
    return (one.kind, one.edges, one.values) == (other.kind, other.edges, other.values)


def added(one: Distribution, other: Distribution) -> Distribution:
    """The distribution of two sets of rows together, counted in the same bins; its deviation is not known.

    Raises
    ------
    ValueError
        They count in different bins.
    """
    if not comparable(one, other):
        raise ValueError(f"{one.column} and {other.column} are counted in different bins")
    n, m = sum(one.counts), sum(other.counts)
    means = [(count, part.mean) for count, part in ((n, one), (m, other)) if part.mean is not None and count]
    return replace(
        one,
        counts=tuple(a + b for a, b in zip(one.counts, other.counts, strict=True)),
        other=one.other + other.other,
        examples=tuple(dict.fromkeys((*one.examples, *other.examples)))[: max(len(one.examples), len(other.examples))],
        nulls=one.nulls + other.nulls,
        not_finite=one.not_finite + other.not_finite,
        mean=sum(count * mean for count, mean in means) / sum(count for count, _ in means) if means else None,
        deviation=None,
        low=min((part.low for part in (one, other) if part.low is not None), default=None),
        high=max((part.high for part in (one, other) if part.high is not None), default=None),
    )


def distribution_from_json(given: Mapping[str, Any]) -> Distribution:
    """Read what `Distribution.as_json` wrote."""
    lists = {name: tuple(given.get(name, ())) for name in ("counts", "edges", "values", "examples")}
    return Distribution(**{**given, **lists})
