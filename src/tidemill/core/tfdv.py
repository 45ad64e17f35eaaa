"""Statistics and anomalies in TensorFlow Data Validation's form: what its protocol buffers say in JSON, as plain data.

Distances are TFDV's: of texts L-infinity or the Jensen-Shannon divergence (in bits) of the values in the rank
histograms; of numbers the divergence of the histograms of equal width, whose buckets are cut at the edges of both, as
if values were spread evenly in each.

References
----------
TensorFlow Data Validation, anomalies/metrics.cc and the reference of anomalies,
https://github.com/tensorflow/data-validation; tensorflow_metadata, statistics.proto and anomalies.proto.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tidemill.core.divergences import jensen_shannon_divergence
from tidemill.core.names import did_you_mean, name_key

FUNCTION = "tidemill_tfdv_validate"
L_INFTY, JENSEN_SHANNON = "L_INFTY", "JENSEN_SHANNON_DIVERGENCE"
FARTHEST = 1.0
"""The distance of what has nothing in common; every limit is below it."""
KINDS = {"SKEW": ("training", "serving", "skewMeasurements"), "DRIFT": ("base", "study", "driftMeasurements")}

NAMED = 12
"""So many columns of a side are named in a message."""

Feature = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From where a distance is an anomaly."""

    categorical: float = 0.3
    categorical_metric: str = L_INFTY
    numerical: float = 0.3
    columns: Mapping[str, float]

    def of(self, column: str, *, texts: bool) -> float:
        """The limit of a column: its own, by its name in any case of letters, or that of its kind."""
        own = {name_key(name): limit for name, limit in self.columns.items()}
        return own.get(name_key(column), self.categorical if texts else self.numerical)

    def unknown(self, names: Iterable[str]) -> str | None:
        """The first column with a limit of its own that is not among those that are compared."""
        keys = {name_key(name) for name in names}
        return next((name for name in self.columns if name_key(name) not in keys), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """How far one column moved; ``most`` is the text whose share changed most."""

    name: str
    metric: str
    threshold: float
    value: float
    most: str = ""

    @property
    def is_anomaly(self) -> bool:
        """Whether it is farther than its limit."""
        return self.value > self.threshold


def nothing_shared(base: Sequence[str], study: Sequence[str], sides: tuple[str, str]) -> tuple[str, str]:
    """What to say, and to try, where two sides have no column that is compared: no row would read as if all were well.

    Parameters
    ----------
    base, study
        The columns of each that could be compared.
    sides
        What they are called.
    """
    told = (", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "") or "none" for names in (base, study))
    both = "; ".join(f"{side} has {names}" for side, names in zip(sides, told, strict=True))
    meant = ((name, did_you_mean(name, base)) for name in study)
    near = next((f"{name}: {hint}" for name, hint in meant if hint.startswith("did")), "")
    return f"no column is in both, so nothing is compared: {both}", near or "name the columns alike: SELECT a AS b"


def compare_features(base: Sequence[Feature], study: Sequence[Feature], limits: Limits) -> Iterator[Compared]:
    """Compare the columns that both have, in the order of the base.

    A column that is text in one and a number in the other, or has values in one only, is as far as can be. TFDV tells
    the first by its schema, which is not had here.
    """
    others = {name_key(name_of(feature)): feature for feature in study}
    for feature in base:
        other = others.get(name_key(name_of(feature)))
        if other is not None:
            yield _compared(feature, other, limits)


def _compared(base: Feature, study: Feature, limits: Limits) -> Compared:
    name = name_of(base)
    texts = "stringStats" in base
    metric = limits.categorical_metric if texts else JENSEN_SHANNON
    value, most = FARTHEST, ""
    if not (_has_values(base) or _has_values(study)):
        value = 0.0
    elif _has_values(base) and _has_values(study) and texts == ("stringStats" in study):
        if metric == L_INFTY:
            value, most = l_infty(string_counts(base), string_counts(study))
        else:
            value = divergence(base, study)
    return Compared(name=name, metric=metric, threshold=limits.of(name, texts=texts), value=value, most=most)


def _has_values(feature: Feature) -> bool:
    if "stringStats" in feature:
        return any(string_counts(feature).values())
    return any(map(any, aligned(_standard(feature), {})))


def name_of(feature: Feature) -> str:
    """A column's name; TFDV writes it as a path or as a name."""
    return ".".join(feature["path"]["step"]) if "path" in feature else str(feature.get("name", ""))


def string_counts(feature: Feature) -> dict[str, float]:
    """Rows by text, as far as the rank histogram lists them."""
    buckets = feature.get("stringStats", {}).get("rankHistogram", {}).get("buckets", ())
    return {str(bucket.get("label", "")): float(bucket.get("sampleCount", 0)) for bucket in buckets}


def l_infty(base: Mapping[str, float], study: Mapping[str, float]) -> tuple[float, str]:
    """The greatest difference of the share of a text, and the text."""
    sums = [sum(counts.values()) or 1.0 for counts in (base, study)]
    gaps = {text: abs(base.get(text, 0.0) / sums[0] - study.get(text, 0.0) / sums[1]) for text in {**base, **study}}
    most = max(sorted(gaps), key=gaps.__getitem__, default="")
    return gaps.get(most, 0.0), most


def divergence(base: Feature, study: Feature) -> float:
    """The Jensen-Shannon divergence in bits of two columns of the same kind, both with values."""
    if "stringStats" in base:
        old, new = string_counts(base), string_counts(study)
        names = list({**old, **new})
        pair = [[counts.get(name, 0.0) for name in names] for counts in (old, new)]
    else:
        pair = aligned(_standard(base), _standard(study))
    return min(1.0, jensen_shannon_divergence(pair[0], pair[1]))


def _standard(feature: Feature) -> Mapping[str, Any]:
    histograms = feature.get("numStats", {}).get("histograms", ())
    return next((one for one in histograms if one.get("type", "STANDARD") == "STANDARD"), {})


def aligned(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[list[float]]:
    """Rows of two histograms in buckets cut at the edges of both; single values, infinities and NaN in their own."""
    parts = [_parts(histogram) for histogram in (one, other)]
    edges = sorted({edge for wide, _, _ in parts for low, high, _ in wide for edge in (low, high)})
    points = sorted({point for _, at, _ in parts for point in at})
    found = []
    for number, (wide, at, apart) in enumerate(parts):
        counts = [
            sum(count * max(0.0, min(high, right) - max(low, left)) / (high - low) for low, high, count in wide)
            for left, right in pairwise(edges)
        ]
        counts += [at.get(point, 0.0) for point in points]
        # What is infinite or NaN in one is taken for another thing than in the other, as TFDV takes it.
        counts += [apart, 0.0] if number == 0 else [0.0, apart]
        found.append(counts)
    return found


def _parts(
    histogram: Mapping[str, Any],
) -> tuple[list[tuple[float, float, float]], dict[float, float], float]:
    wide: list[tuple[float, float, float]] = []
    points: dict[float, float] = {}
    apart = float(histogram.get("numNan", 0))
    for bucket in histogram.get("buckets", ()):
        low, high = float(bucket.get("lowValue", 0)), float(bucket.get("highValue", 0))
        count = float(bucket.get("sampleCount", 0))
        if not (math.isfinite(low) and math.isfinite(high)):
            apart += count
        elif low == high:
            points[low] = points.get(low, 0.0) + count
        else:
            wide.append((low, high, count))
    return wide, points, apart


def features_of(statistics: str) -> list[Feature]:
    """The columns of a DatasetFeatureStatisticsList in JSON.

    Raises
    ------
    ValueError
        The text is not one.
    """
    try:
        (dataset,) = json.loads(statistics)["datasets"]
        return list(dataset.get("features", ()))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError("the statistics are not those of one data set, as ML.TFDV_DESCRIBE gives them") from error


def anomalies(compared: Sequence[Compared], kind: str) -> dict[str, Any]:
    """An Anomalies message: what is anomalous with its reason, and every distance."""
    old, new, measurements = KINDS[kind]
    info: dict[str, Any] = {}
    drift: list[dict[str, Any]] = []
    for one in compared:
        path = {"step": [one.name]}
        measured = {"type": one.metric, "value": one.value, "threshold": one.threshold}
        drift.append({"path": path, measurements: [measured]})
        if not one.is_anomaly:
            continue
        word = "L-infinity distance" if one.metric == L_INFTY else "Jensen-Shannon divergence"
        short = f"{word} between {old} and {new} is high"
        text = f"The {word} between {old} and {new} is {one.value:.6g}, above the threshold {one.threshold:.6g}."
        if one.most:
            text += f" The share of this value changed most: {one.most}"
        reason = {"type": f"COMPARATOR_{one.metric}_HIGH", "shortDescription": short, "description": text}
        info[one.name] = {
            "path": path,
            "severity": "ERROR",
            "shortDescription": short,
            "description": text,
            "reason": [reason],
        }
    return {"anomalyNameFormat": "SERIALIZED_PATH", "anomalyInfo": info, "driftSkewInfo": drift}


def validate(base: str, study: str, settings: str) -> str:
    """What ML.TFDV_VALIDATE answers to two texts of statistics; ``settings`` is JSON: kind, limits, metric.

    Raises
    ------
    ValueError
        A text is not what ML.TFDV_DESCRIBE gives, a limit is of no column, or no column is in both.
    """
    given = json.loads(settings)
    limits = Limits(
        categorical=given["categorical"],
        categorical_metric=given["categorical_metric"],
        numerical=given["numerical"],
        columns=given["columns"],
    )
    old, new = features_of(base), features_of(study)
    compared = list(compare_features(old, new, limits))
    if not compared:
        sides = KINDS[given["kind"]][:2]
        raise ValueError("; ".join(nothing_shared([name_of(one) for one in old], [name_of(one) for one in new], sides)))
    wrong = limits.unknown(one.name for one in compared)
    if wrong is not None:
        raise ValueError(f"thresholds name the column {wrong}, which is not among those that are compared")
    return json.dumps(anomalies(compared, given["kind"]), ensure_ascii=False)
