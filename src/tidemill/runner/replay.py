"""One prediction again: what it was made from, the same answer computed anew, and the version trained anew.

The log holds what the model read; the registry holds the version by its digest; the version's lineage holds the
snapshot, the SQL and the libraries. Equal means equal to the last bit of every number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tidemill.core.errors import CorruptError, NotFoundError, StateError
from tidemill.core.names import name_key
from tidemill.serving.loading import Loaded, load_version
from tidemill.serving.log.redact import PREFIX as HASHED
from tidemill.serving.log.texts import text_of
from tidemill.serving.online.answers import label_text
from tidemill.warehouse.control.models import get_version

if TYPE_CHECKING:
    from tidemill.runner.stations import Stations
    from tidemill.serving.online.explain import Explanation
    from tidemill.warehouse.control.models import ModelVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A logged prediction beside the answer the same version gives now.

    Parameters
    ----------
    logged
        The prediction's row of ``tidemill.predictions``.
    inputs
        What the model read, by column.
    prediction, probabilities
        The answer now.
    equal
        Whether it is the logged one, to the last bit.
    difference
        The largest difference of a probability, or of the predicted number.
    retrained
        The digest of the version trained again from its recorded snapshot; None when that was not asked for.
    """

    logged: Mapping[str, Any]
    inputs: Mapping[str, Any]
    version: ModelVersion
    prediction: str
    probabilities: Mapping[str, float] | None
    equal: bool
    difference: float
    libraries: Mapping[str, str] = field(default_factory=dict)
    retrained: str | None = None

    @property
    def same_training(self) -> bool | None:
        """Whether training again gave the same version; None when nobody asked."""
        return None if self.retrained is None else self.retrained == self.version.digest

    def as_json(self) -> dict[str, Any]:
        """The replay as plain data."""
        logged = {
            name: value if isinstance(value, int | float) else _text(value) for name, value in self.logged.items()
        }
        return {
            "prediction": {**logged, "inputs": dict(self.inputs)},
            "version": {
                "model": self.version.name,
                "version": self.version.version,
                "digest": self.version.digest,
                "trained_at": None if self.version.created_at is None else self.version.created_at.isoformat(),
                "lineage": self.version.lineage,
                "libraries": dict(self.libraries),
            },
            "again": {"prediction": self.prediction, "probabilities": self.probabilities},
            "equal": self.equal,
            "difference": self.difference,
            "retrained": self.retrained,
            "same_training": self.same_training,
        }


def replay(stations: Stations, prediction_id: str, *, again: bool = False) -> Replay:
    """Compute a logged prediction anew, with the version that gave it.

    Parameters
    ----------
    again
        Train the version again from its recorded snapshot too, and compare the digests.

    Raises
    ------
    NotFoundError
        The log has no such prediction.
    StateError
        The log left out or hashed what the model read, or no version gave the answer.
    CorruptError
        The version is not the one the log names.
    """
    logged = find_prediction(stations, prediction_id)
    inputs = _inputs(logged)
    loaded = _load(stations, logged)
    version = get_version(stations.db, logged["model"], int(logged["version"]))
    if logged["digest"] != version.digest:
        raise CorruptError(
            f"prediction {prediction_id} was given by a version with digest {logged['digest'][:12]}; "
            f"version {version.version} of {version.name} has {version.digest[:12]}",
            hint="this control database is not the one that served it",
        )
    _require_inputs(logged, inputs, loaded)
    answers = loaded.model.answer(loaded.model.rows_of_dicts([inputs]))
    prediction = text_of(answers.predictions[0])
    probabilities = None
    if answers.probabilities is not None:
        names = map(label_text, loaded.model.classes)
        probabilities = dict(zip(names, answers.probabilities[0], strict=True))
    difference = _difference(logged, prediction, probabilities)
    return Replay(
        logged=logged,
        inputs=inputs,
        version=version,
        prediction=prediction,
        probabilities=probabilities,
        equal=prediction == logged["prediction"] and difference == 0.0,
        difference=difference,
        libraries=loaded.model.manifest["libraries"],
        retrained=_retrain(stations, version) if again else None,
    )


def explain(stations: Stations, prediction_id: str) -> tuple[Mapping[str, Any], Explanation]:
    """The row of a prediction, and what each input added to its score.

    Raises
    ------
    NotFoundError
        The log has no such prediction.
    StateError
        The log left out or hashed what the model read.
    """
    logged = find_prediction(stations, prediction_id)
    inputs = _inputs(logged)
    loaded = _load(stations, logged)
    _require_inputs(logged, inputs, loaded)
    model = loaded.model
    return logged, model.explain(model.rows_of_dicts([inputs]))[0]


def find_prediction(stations: Stations, prediction_id: str) -> dict[str, Any]:
    """The row of a prediction in the log.

    Raises
    ------
    NotFoundError
        There is none.
    """
    from tidemill.core.names import quote_text

    sql = f"SELECT * FROM tidemill.predictions WHERE id = {quote_text(prediction_id)}"
    with stations.session() as session:
        rows = session.query(sql).read_all().to_pylist()
    if not rows:
        raise NotFoundError(
            f"the log has no prediction {prediction_id}",
            hint="answers reach the log's table within seconds: tidemill collect --once brings those that wait",
            prediction=prediction_id,
        )
    found: dict[str, Any] = rows[0]
    return found


def _load(stations: Stations, logged: Mapping[str, Any]) -> Loaded:
    from tidemill.warehouse.duckdb.row_transform import open_row_transform

    name, version = logged["model"], int(logged["version"])
    return load_version(stations.db, stations.store, name, version, transform=open_row_transform)


def _require_inputs(logged: Mapping[str, Any], inputs: Mapping[str, Any], loaded: Loaded) -> None:
    """Refuse what the log does not hold as the model read it."""
    names = {name_key(name) for name in inputs}
    gone = [one.name for one in loaded.model.inputs if name_key(one.name) not in names]
    hidden = [name for name, value in inputs.items() if isinstance(value, str) and value.startswith(HASHED)]
    for columns, what in ((gone, "leaves out"), (hidden, "holds only digests of")):
        if columns:
            raise StateError(
                f"prediction {logged['id']} cannot be computed again: the log {what} {', '.join(columns)}",
                hint="hash_columns and omit_columns of the deployment say what the log does not hold",
                columns=columns,
            )


def _inputs(logged: Mapping[str, Any]) -> dict[str, Any]:
    if logged["version"] is None or logged["route"] == "fallback":
        raise StateError(f"prediction {logged['id']} was the fallback: no version gave it")
    inputs: dict[str, Any] = json.loads(logged["inputs"])
    return inputs


def _difference(logged: Mapping[str, Any], prediction: str, probabilities: Mapping[str, float] | None) -> float:
    if probabilities is None:
        return abs(float(logged["prediction"]) - float(prediction))
    before: dict[str, float] = json.loads(logged["probabilities"])
    return max((abs(before.get(name, 0.0) - value) for name, value in probabilities.items()), default=0.0)


def _retrain(stations: Stations, version: ModelVersion) -> str:
    from tidemill.runner.pinned import retrain

    return retrain(stations, version).digest


def _text(value: Any) -> Any:
    return value if value is None or isinstance(value, str | bool) else str(value)
