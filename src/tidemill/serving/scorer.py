"""Scores batches of rows with a loaded version.

Linear models are a product of arrays. Trees have two engines that agree to 1e-5: onnxruntime, ready in a quarter of a
second, and XGBoost, about twice as fast but seconds to import. A stream of few rows is answered by the first, a longer
one by the second; which it is depends on the number of rows alone, never on what the process imported before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np  # noqa: TID253

from tidemill.core.errors import InternalError, StateError
from tidemill.features.encode import BatchEncoder
from tidemill.features.plan import FeaturePlan, plan_from_dict
from tidemill.model_types.base import Fitted
from tidemill.model_types.table import find_model_type
from tidemill.training.artifact import FEATURES, FORMAT, INFO, SCORES_ONNX, read_json_file
from tidemill.training.graphs import SCORES

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.registry.versions import LoadedModel

#: More rows than this are worth the import of XGBoost.
MANY_ROWS = 250_000

Engine = Callable[[np.ndarray], np.ndarray]


@dataclass(slots=True, kw_only=True)
class Scorer:
    """A version ready to score: what it needs is read once, when it is first used.

    Scores are predictions, shape (n,), or probabilities of the classes in ascending order, shape (n, classes);
    float64.
    """

    plan: FeaturePlan
    fitted: Fitted
    classes: int
    threads: int
    graph: Callable[[], bytes] | None = None
    _encoder: BatchEncoder = field(init=False, repr=False)
    _few: Engine | None = field(default=None, init=False, repr=False)
    _many: Engine | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self._encoder = BatchEncoder(self.plan)

    @classmethod
    def open(cls, model: LoadedModel, *, threads: int = 1) -> Self:
        """Open a version.

        Raises
        ------
        StateError
            It was written by a newer Tidemill.
        """
        manifest, files = model.manifest, model.files
        if manifest["format"] > FORMAT:
            raise StateError(
                f"model {model.name} version {model.version} was written by a newer Tidemill",
                hint="upgrade tidemill",
                format=manifest["format"],
            )
        row = find_model_type(str(manifest["model_type"]))
        if row is None or row.load is None:
            raise InternalError(f"model {model.name} has the type {manifest['model_type']}, which cannot be loaded")
        return cls(
            plan=plan_from_dict(read_json_file(files, FEATURES)),
            fitted=row.load(files, read_json_file(files, INFO)["fitted"]),
            classes=len(manifest["label"]["classes"]),
            threads=max(1, threads),
            graph=(lambda: files[SCORES_ONNX]) if SCORES_ONNX in files else None,
        )

    def encode(self, batch: pa.RecordBatch) -> np.ndarray:
        """The encoded matrix of a batch that has the columns the plan's features are read from."""
        return self._encoder.matrix(batch)

    def score(self, batch: pa.RecordBatch) -> np.ndarray:
        """Scores of one batch."""
        return self._engine(many=batch.num_rows > MANY_ROWS)(self.encode(batch))

    def score_stream(
        self, batches: Iterable[pa.RecordBatch], *, many: bool | None = None
    ) -> Iterator[tuple[pa.RecordBatch, np.ndarray]]:
        """Each batch with its scores, in order; a bounded number of batches is read ahead.

        For trees the first 250,000 rows are read before the first answer, to choose the engine, unless ``many`` says
        which it is: the rest of a long stream is scored as its beginning was.
        """
        stream = iter(batches)
        ahead: deque[pa.RecordBatch] = deque()
        rows = MANY_ROWS + 1 if many else 0
        if self.graph is not None and many is None:
            for batch in stream:
                ahead.append(batch)
                rows += batch.num_rows
                if rows > MANY_ROWS:
                    break
        yield from self._in_order(self._engine(many=rows > MANY_ROWS), ahead, stream)

    def _in_order(
        self, engine: Engine, ahead: deque[pa.RecordBatch], stream: Iterator[pa.RecordBatch]
    ) -> Iterator[tuple[pa.RecordBatch, np.ndarray]]:
        def score(batch: pa.RecordBatch) -> np.ndarray:
            return engine(self.encode(batch))

        def read() -> Iterator[pa.RecordBatch]:
            while ahead:
                yield ahead.popleft()
            yield from stream

        if self.threads == 1:
            for batch in read():
                yield batch, score(batch)
            return
        working: deque[tuple[pa.RecordBatch, Future[np.ndarray]]] = deque()
        pool = ThreadPoolExecutor(self.threads)
        try:
            for batch in read():
                working.append((batch, pool.submit(score, batch)))
                if len(working) > self.threads:
                    done, future = working.popleft()
                    yield done, future.result()
            while working:
                done, future = working.popleft()
                yield done, future.result()
        finally:
            # Not `with`, which waits: a stream that nobody reads on is ended by the collector, which may come by where
            # a thread is being started and holds the lock that waiting for another one needs.
            pool.shutdown(wait=False)

    def _engine(self, *, many: bool) -> Engine:
        if self.graph is None:
            return self.fitted.scores
        if many:
            self._many = self._many or self._by_xgboost()
            return self._many
        self._few = self._few or self._by_onnxruntime(self.graph())
        return self._few

    def _by_xgboost(self) -> Engine:
        """One thread a call: batches are scored side by side."""
        fitted: Any = self.fitted
        fitted.threads = 1
        # The first call configures the booster, which is not for several threads at once.
        fitted.scores(np.zeros((1, self.plan.width), dtype=np.float32))
        engine: Engine = fitted.scores
        return engine

    def _by_onnxruntime(self, graph: bytes) -> Engine:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

        def score(x: np.ndarray) -> np.ndarray:
            if not len(x):
                return np.zeros((0, self.classes) if self.classes else 0)
            return np.asarray(session.run([SCORES], {"x": x})[0], dtype=np.float64)

        return score
