"""A registered model in Python's hands: predict on any Arrow-capable table, judge it, look at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tidemill.core.names import name_key
from tidemill.runner.call import FunctionCall
from tidemill.runner.execute import OpenQuery, QueryInput
from tidemill.runner.functions.facts import ModelFacts, arrow_type
from tidemill.runner.result import Result

if TYPE_CHECKING:
    from tidemill.registry.versions import LoadedModel
    from tidemill.runner.stations import Stations
    from tidemill.warehouse.protocol import ArrowStream, Session

DATA = "tm_data"


class Model:
    """One version of a model."""

    def __init__(self, stations: Stations, loaded: LoadedModel) -> None:
        self._stations = stations
        self._loaded = loaded

    @property
    def name(self) -> str:
        """The model's name."""
        return self._loaded.name

    @property
    def version(self) -> int:
        """The version's number, from 1."""
        return self._loaded.version

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What is recorded of the version: signature, options, SQL, split, libraries."""
        return self._loaded.manifest

    def predict(self, data: object, *, threshold: float = 0.5) -> Result:
        """Score rows: predicted columns first, then the given ones.

        Parameters
        ----------
        data
            A table of pyarrow, pandas or polars, anything else that hands out Arrow, or a list of dicts.
        threshold
            For two classes: the probability from which the positive class is predicted, in [0, 1].

        Raises
        ------
        BindError
            A column that the model needs is missing.
        """
        return self._call("ML.PREDICT", data, {"threshold": threshold})

    def evaluate(self, data: object | None = None) -> dict[str, float]:
        """Metrics by name: of the rows kept apart in training, or of the rows given."""
        row = self._call("ML.EVALUATE", data, {"threshold": 0.5}).to_arrow().to_pylist()[0]
        return dict(row)

    def _call(self, function: str, data: object | None, settings: Mapping[str, Any]) -> Result:
        session = self._stations.session()
        inputs = () if data is None else (_input(data, session, self._loaded),)
        call = FunctionCall(
            function=function, model=self._loaded, inputs=inputs, settings=settings, threads=self._stations.threads
        )
        return Result(self._stations.functions[function](call), session)

    def __repr__(self) -> str:
        return f"Model({self.name!r}, version={self.version})"


def _input(data: object, session: Session, model: LoadedModel) -> QueryInput:
    stream = _with_types(arrow_stream(data), model)
    return QueryInput(OpenQuery(sql=f"SELECT * FROM {DATA}", relations={DATA: stream}), session)


def _with_types(stream: ArrowStream, model: LoadedModel) -> ArrowStream:
    """Give columns that hold nothing but None the type the model was trained on: Arrow knows none for them."""
    import pyarrow as pa

    schema = pa.RecordBatchReader.from_stream(stream).schema
    if not any(pa.types.is_null(field.type) for field in schema):
        return stream
    trained = {name_key(column.name): column.type for column in ModelFacts(model).plan.inputs}
    fields = [
        field.with_type(arrow_type(trained[name_key(field.name)]))
        if pa.types.is_null(field.type) and name_key(field.name) in trained
        else field
        for field in schema
    ]
    table: ArrowStream = pa.RecordBatchReader.from_stream(stream).read_all().cast(pa.schema(fields))
    return table


def arrow_stream(data: object) -> ArrowStream:
    """Rows in any form Python holds them, as something that can be scanned more than once.

    Raises
    ------
    TypeError
        The data has no Arrow interface and is not a list of dicts.
    """
    import pyarrow as pa

    if isinstance(data, Sequence) and all(isinstance(row, Mapping) for row in data):
        stream: ArrowStream = pa.Table.from_pylist([dict(row) for row in data])
    elif isinstance(data, Mapping):
        stream = pa.table(dict(data))
    elif isinstance(data, pa.RecordBatchReader):
        stream = data.read_all()  # a reader can be read once, an engine may scan twice
    elif hasattr(data, "__arrow_c_stream__"):
        stream = data
    else:
        raise TypeError(f"cannot read rows from {type(data).__name__}: give an Arrow, pandas or polars table")
    return stream
