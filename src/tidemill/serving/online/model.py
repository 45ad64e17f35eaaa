"""`OnlineModel`: one version of a model, answering JSON through a graph.

Trees without TRANSFORM are answered by their graph of scores, over a matrix that `matrix` makes; others by the graph
of raw columns (`feed`), after the engine where TRANSFORM needs one (`transformed`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np  # noqa: TID253

from tidemill.core.errors import InputError, StateError
from tidemill.core.names import name_key
from tidemill.features.plan import FeaturePlan, plan_from_dict
from tidemill.serving.online.answers import AnswerEncoder, Answers, RowError, row_error
from tidemill.serving.online.body import BodyReader, Maker
from tidemill.serving.online.explain import Explained, Explainer, Explanation
from tidemill.serving.online.feed import FeedMaker
from tidemill.serving.online.graph import Run, check_graph, open_graph
from tidemill.serving.online.inputs import graph_inputs
from tidemill.serving.online.matrix import MatrixMaker
from tidemill.serving.online.parsed import Parsed
from tidemill.serving.online.transformed import OpenTransform, TransformedFeed
from tidemill.serving.online.types import JsonKind, JsonType, json_type
from tidemill.training.artifact import FEATURES, FORMAT, GOLDEN, MANIFEST, MODEL_ONNX, SCORES_ONNX, read_json_file
from tidemill.training.graphs import PROBABILITIES, SCORES


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One column that rows must have: its name, its Arrow type as text, and how it is written in JSON."""

    name: str
    type: str
    json: JsonType
    required: bool = True

    @property
    def kind(self) -> JsonKind:
        """What it holds: a row of `types.JsonKind`."""
        return self.json.kind


class OnlineModel:
    """One version of a model. Calls may come from several threads; nothing in it changes once it is open.

    Attributes
    ----------
    name, version, digest
        Which version it is.
    label, classes
        The label's column; its values in ascending order, none for regression.
    inputs
        The columns that rows must have.
    bytes
        The size of its graph.
    manifest
        What is recorded of the version.
    """

    def __init__(
        self,
        *,
        name: str,
        version: int,
        digest: str,
        manifest: Mapping[str, Any],
        plan: FeaturePlan,
        run: Run,
        maker: Maker,
        size: int,
        files: Mapping[str, bytes],
        transform: OpenTransform | None,
    ) -> None:
        self.name = name
        self.version = version
        self.digest = digest
        self.manifest = manifest
        self.label = str(manifest["label"]["column"])
        self.classes: tuple[Any, ...] = tuple(manifest["label"]["classes"])
        self.inputs = _inputs(plan)
        self.bytes = size
        self.plan = plan
        self._run = run
        columns = [(given.name, given.json) for given in self.inputs]
        self._keys = frozenset(name_key(given.name) for given in self.inputs)
        self._reader = BodyReader(columns, maker)
        self._encoder = AnswerEncoder(name, version, self.classes)
        self._files = files
        explained = Explained(
            name=name,
            version=version,
            label=self.label,
            classes=self.classes,
            plan=plan,
            model_type=str(manifest["model_type"]),
        )
        self._explainer = Explainer(explained, files, columns, transform)

    @classmethod
    def open(
        cls,
        files: Mapping[str, bytes],
        *,
        name: str,
        version: int,
        digest: str,
        transform: OpenTransform | None = None,
    ) -> Self:
        """Open a version from the files of its artifact, whose digests were checked.

        Parameters
        ----------
        files
            By name. They are read now and, for explanations and golden rows, again later: a mapping that reads them
            from the store each time keeps no second copy in memory.
        transform
            Opens the engine that carries out a TRANSFORM which ONNX cannot say; it is called for such models only.

        Raises
        ------
        StateError
            A newer Tidemill wrote it, or its TRANSFORM needs an engine and none was given.
        CorruptError
            The graph is not one of ours.
        """
        manifest = read_json_file(files, MANIFEST)
        if manifest["format"] > FORMAT:
            raise StateError(
                f"model {name} version {version} was written by a newer Tidemill",
                hint="upgrade tidemill",
                format=manifest["format"],
            )
        plan = plan_from_dict(read_json_file(files, FEATURES))
        said = f"{name} version {version}"
        columns = [(column.name, json_type(column.type)) for column in plan.inputs]
        maker = _maker(plan, manifest["onnx"], columns, transform, said)
        output = PROBABILITIES if manifest["label"]["classes"] else f"predicted_{manifest['label']['column']}"
        file = MODEL_ONNX
        if plan.style == "tree" and not plan.transforms and SCORES_ONNX in files:
            maker, file, output = MatrixMaker(plan, columns), SCORES_ONNX, SCORES
        graph = files[file]
        check_graph(graph, name=said)
        run = open_graph(graph, outputs=[output], name=said)
        return cls(
            name=name,
            version=version,
            digest=digest,
            manifest=manifest,
            plan=plan,
            run=run,
            maker=maker,
            size=len(graph),
            files=files,
            transform=transform,
        )

    def rows_of_body(self, body: bytes, *, key: str = "", each: bool = False) -> Parsed:
        """Read ``{"rows": [{column: value}]}`` or ``{"columns": {column: [value]}}``.

        Parameters
        ----------
        key
            The column whose value is each row's key.
        each
            Keep the errors of single rows for `answer_each` instead of raising the first.

        Raises
        ------
        BodyError
            It is no JSON, or not of this form.
        InputError
            A column is missing, or a value is of another type; the facts say which row and column.
        """
        return self._reader.read(body, key=key, each=each)

    def rows_of_dicts(self, rows: Sequence[Mapping[str, Any]], *, key: str = "", each: bool = False) -> Parsed:
        """Take rows that are read already; values as JSON has them.

        Raises
        ------
        InputError
            A column is missing, or a value is of another type; the facts say which row and column.
        """
        return self._reader.read_dicts(rows, key=key, each=each)

    def reread(self, parsed: Parsed, *, key: str = "", each: bool = False) -> Parsed:
        """Read rows that another version has read, for this version's own columns."""
        if parsed.dicts is not None:
            return self.rows_of_dicts(parsed.dicts, key=key, each=each)
        return self.rows_of_body(parsed.body, key=key, each=each)

    def unread(self, names: Sequence[str]) -> list[str]:
        """Those of these columns that the model does not read."""
        return [name for name in names if name_key(name) not in self._keys]

    def answer(self, parsed: Parsed) -> Answers:
        """Answer rows without errors.

        Raises
        ------
        InputError
            The first error of a row, where `rows_of_body` kept it.
        """
        for error in parsed.errors:
            if error is not None:
                raise error
        (out,) = self._run(parsed.feed)
        classes = self.classes
        if not classes:
            numbers = out.reshape(-1)
            return Answers(numbers.tolist(), None, numbers)
        probabilities = out.tolist()
        if len(classes) == 2:
            no, yes = classes
            predictions = [yes if row[1] >= 0.5 else no for row in probabilities]
            return Answers(predictions, probabilities, out[:, 1].astype(np.float64))
        called = out.argmax(axis=1)
        predictions = [classes[at] for at in called.tolist()]
        return Answers(predictions, probabilities, out.max(axis=1).astype(np.float64))

    def answer_each(self, parsed: Parsed) -> tuple[Answers, list[RowError | None]]:
        """Answer the rows that can be answered; per row, what is wrong with the others.

        Rows are read with ``each=True``.
        """
        if not parsed.errors:
            return self.answer(parsed), [None] * parsed.n
        errors = [None if error is None else row_error(error, i) for i, error in enumerate(parsed.errors)]
        good = [i for i, error in enumerate(errors) if error is None]
        predictions: list[Any] = [None] * parsed.n
        probabilities: list[Any] | None = [None] * parsed.n if self.classes else None
        scores = np.full(parsed.n, np.nan)
        if good:
            found = self.answer(Parsed(len(good), [], parsed.feed))
            scores[good] = found.scores
            for at, i in enumerate(good):
                predictions[i] = found.predictions[at]
                if probabilities is not None and found.probabilities is not None:
                    probabilities[i] = found.probabilities[at]
        return Answers(predictions, probabilities, scores), errors

    def golden_rows(self) -> list[dict[str, Any]]:
        """Rows that training kept, as JSON has them; none for versions of before."""
        return list(read_json_file(self._files, GOLDEN)["rows"]) if GOLDEN in self._files else []

    def explain(self, parsed: Parsed) -> list[Explanation]:
        """What each feature added to each row's score; slow, and for trees with XGBoost: not for an event loop.

        Raises
        ------
        InputError
            The first error of a row, where `rows_of_body` kept it.
        StateError
            The model has a TRANSFORM, and it was opened without an engine.
        """
        answers = self.answer(parsed)
        return self._explainer.explain(parsed.values(len(self.inputs)), answers.predictions)

    def check_golden(self) -> float | None:
        """Answer the golden rows of the artifact; how far the farthest answer is from training's.

        Relative to the largest score where that is above 1, as agreement is judged in training (1e-5). None for a
        version that has no golden rows.
        """
        if GOLDEN not in self._files:
            return None
        golden = read_json_file(self._files, GOLDEN)
        if not golden["rows"]:
            return None
        answers = self.answer(self.rows_of_dicts(golden["rows"]))
        found = answers.predictions if answers.probabilities is None else answers.probabilities
        expected = np.array(golden["scores"], np.float64)
        scale = max(1.0, float(np.abs(expected).max()))
        return float(np.abs(np.array(found, np.float64) - expected).max()) / scale

    def encode_predictions(self, answers: Answers, ids: Sequence[str], errors: Sequence[RowError | None] = ()) -> bytes:
        """The JSON of a response: model, version and predictions."""
        return self._encoder.encode(answers, ids, errors)

    def __repr__(self) -> str:
        return f"OnlineModel({self.name!r}, version={self.version})"


def _maker(
    plan: FeaturePlan,
    recorded: Mapping[str, Any],
    columns: Sequence[tuple[str, JsonType]],
    transform: OpenTransform | None,
    said: str,
) -> Maker:
    """What makes the tensors of the graph of raw columns, or of TRANSFORM's where ONNX cannot say it."""
    given = graph_inputs(plan, recorded, said)
    if not plan.transforms or recorded["inputs"] == "raw":
        return FeedMaker(given, columns)
    if transform is None:
        raise StateError(
            f"model {said} has a TRANSFORM that needs the engine: {recorded['reason']}",
            hint="open it where the engine is installed",
        )
    return TransformedFeed(plan, given, columns, transform)


def _inputs(plan: FeaturePlan) -> tuple[Input, ...]:
    return tuple(Input(name=column.name, type=column.type, json=json_type(column.type)) for column in plan.inputs)


__all__ = ["Answers", "Explanation", "Input", "InputError", "OnlineModel", "Parsed", "RowError"]
