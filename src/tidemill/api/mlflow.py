"""MLflow's scoring protocol: ``POST /invocations`` with its four JSON forms and CSV.

References
----------
.. [1] https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tidemill.api.answering import Answered, Ask, answer
from tidemill.api.context import Context
from tidemill.api.health import is_ready
from tidemill.api.request import JSON, Header, Request, Response, check_media_type, json_response
from tidemill.core.errors import BodyError, RequestError, UnavailableError
from tidemill.core.names import name_key
from tidemill.core.version import VERSION
from tidemill.serving.live import LiveDeployment
from tidemill.serving.online.model import OnlineModel, Parsed

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_JSON_TYPE, _CSV_TYPE = "application/json", "text/csv"
_encode = msgspec.json.Encoder().encode

Row = Mapping[str, Any]


async def ping(ctx: Context, _: Request) -> Response:
    """Whether the server is ready, as MLflow and SageMaker ask."""
    now = is_ready(ctx)
    return json_response({"ready": now}, status=200 if now else 503)


async def version(_: Context, __: Request) -> Response:
    """The server's version as text."""
    return Response(200, ((b"content-type", b"text/plain; charset=utf-8"),), VERSION.encode())


async def invocations(ctx: Context, request: Request) -> Response:
    """Answer ``{"predictions": [...]}`` for rows in any of MLflow's forms."""
    deployment = _which(ctx, request)
    check_media_type(request, _JSON_TYPE, _CSV_TYPE)
    model = deployment.champion or deployment.challenger
    if model is None:
        raise UnavailableError(f"deployment {deployment.name} has no version that can answer")
    if request.media_type == _CSV_TYPE:
        rows, probabilities = csv_rows(request.body, model), False
    else:
        rows, params = json_rows(request.body, model)
        probabilities = params.get("probabilities") is True

    def read(model: OnlineModel, key: str, each: bool) -> Parsed:
        return model.rows_of_dicts(rows, key=key, each=each)

    return await answer(
        ctx,
        request,
        Ask(deployment, read=read, write=lambda given: _write(given, probabilities), rows=lambda: len(rows)),
    )


def _which(ctx: Context, request: Request) -> LiveDeployment:
    """The deployment that is meant: named, or the only one."""
    name = request.queries().get("model") or request.head.get(b"x-tidemill-model", b"").decode("latin-1")
    if name:
        return ctx.deployment(name)
    names = ctx.live.names()
    if len(names) == 1:
        return ctx.deployment(names[0])
    raise RequestError(
        f"{len(names)} deployments are served here: say which one",
        hint=f"?model=NAME, or the header X-Tidemill-Model; there are {', '.join(names[:8]) or 'none'}",
    )


def json_rows(body: bytes, model: OnlineModel) -> tuple[list[Row], Mapping[str, Any]]:
    """The rows of one of the four JSON forms, and the ``params``.

    Raises
    ------
    BodyError
        It is none of them.
    """
    try:
        given = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BodyError(f"the body cannot be read: {error}"[:300]) from None
    if not isinstance(given, dict):
        raise BodyError("the body is no object", hint=f"give one of {', '.join(FORMS)}")
    found = [form for form in FORMS if form in given]
    if len(found) != 1:
        said = f"it has {' and '.join(found)}" if found else "it has none of them"
        raise BodyError(f"the body holds one of {', '.join(FORMS)}; {said}")
    params = given.get("params")
    if params is not None and not isinstance(params, dict):
        raise BodyError("params is no object")
    unknown = set(given) - {*FORMS, "params", "signature_name"}
    if unknown:
        raise BodyError(f"the body holds {min(unknown)[:128]!r}, which is not known here")
    rows = _READERS[found[0]](given[found[0]], model)
    if not rows:
        raise BodyError("there are no rows")
    return rows, params or {}


def _split(given: Any, _: OnlineModel) -> list[Row]:
    if not isinstance(given, dict) or not isinstance(given.get("data"), list):
        raise BodyError('dataframe_split is {"columns": [...], "data": [[...]]}')
    columns = given.get("columns")
    if not isinstance(columns, list) or not all(isinstance(one, str) for one in columns):
        raise BodyError("dataframe_split names its columns under columns")
    return [_named(columns, row, number) for number, row in enumerate(given["data"])]


def _records(given: Any, _: OnlineModel) -> list[Row]:
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise BodyError("dataframe_records is a list of objects, one a row")
    return given


def _instances(given: Any, model: OnlineModel) -> list[Row]:
    if not isinstance(given, list):
        raise BodyError("instances is a list, one item a row")
    if all(isinstance(one, dict) for one in given):
        return given
    names = [one.name for one in model.inputs]
    rows = given if all(isinstance(one, list) for one in given) else [[one] for one in given]
    return [_named(names, row, number) for number, row in enumerate(rows)]


def _inputs(given: Any, model: OnlineModel) -> list[Row]:
    if not isinstance(given, dict):
        return _instances(given, model)
    lists = {name: value if isinstance(value, list) else [value] for name, value in given.items()}
    lengths = {len(value) for value in lists.values()}
    if len(lengths) > 1:
        raise BodyError("the columns under inputs have different lengths")
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


_READERS = {"dataframe_split": _split, "dataframe_records": _records, "instances": _instances, "inputs": _inputs}


def _named(columns: Sequence[str], row: Any, number: int) -> Row:
    if not isinstance(row, list) or len(row) != len(columns):
        has = len(row) if isinstance(row, list) else "no"
        raise BodyError(f"row {number} has {has} values for {len(columns)} columns", row=number)
    return dict(zip(columns, row, strict=True))


def csv_rows(body: bytes, model: OnlineModel) -> list[Row]:
    """Rows of CSV with a header, their texts read as their columns are.

    Raises
    ------
    BodyError
        It is none.
    """
    kinds = {name_key(one.name): one.kind for one in model.inputs}
    try:
        reader = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        header = next(reader, [])
        rows: list[Row] = []
        for number, line in enumerate(reader):
            if not line:
                continue
            cells = _named(header, line, number)
            rows.append({name: _cell(kinds.get(name_key(name), "text"), text) for name, text in cells.items()})
    except (UnicodeDecodeError, csv.Error) as error:
        raise BodyError(f"the CSV cannot be read: {error}") from None
    if not rows:
        raise BodyError("there are no rows", hint="give a header line and a line a row")
    return rows


def _cell(kind: str, text: str) -> Any:
    """A cell as JSON would have it; empty is NULL. What is none of its kind stays text, and is refused as such."""
    if text == "":
        return None
    if kind in ("number", "integer", "decimal"):
        try:
            return int(text) if text.lstrip("+-").isdigit() else float(text)
        except ValueError:
            return text
    if kind == "bool":
        return {"true": True, "false": False}.get(text.strip().lower(), text)
    if kind in ("array", "struct"):
        try:
            return msgspec.json.decode(text)
        except (msgspec.MsgspecError, RecursionError):
            return text
    return text


def _write(given: Answered, probabilities: bool) -> tuple[bytes, tuple[Header, ...]]:
    predictions: Any = list(given.predictions)
    if probabilities and given.answers is not None and given.answers.probabilities is not None and given.model:
        names = [one if isinstance(one, str) else _encode(one).decode() for one in given.model.classes]
        predictions = [
            {"prediction": one, "probabilities": dict(zip(names, row, strict=True))}
            for one, row in zip(predictions, given.answers.probabilities, strict=True)
        ]
    return _encode({"predictions": predictions}), (JSON, (b"x-tidemill-id", given.id.encode()))


async def health(ctx: Context, request: Request) -> Response:
    """The same as `ping`."""
    return await ping(ctx, request)
