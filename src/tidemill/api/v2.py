"""Open Inference Protocol, version 2: existing clients, KServe and Triton's users are at home here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tidemill.api.answering import Answered, Ask, answer
from tidemill.api.context import Context
from tidemill.api.health import is_ready
from tidemill.api.request import JSON, Header, Request, Response, check_media_type, json_response
from tidemill.api.v2_tensors import FLOATS, binary_elements, check_tensor, json_elements, to_binary
from tidemill.core.errors import BodyError, NotFoundError, UnavailableError
from tidemill.core.names import name_key
from tidemill.core.version import VERSION
from tidemill.serving.live import LiveDeployment
from tidemill.serving.online.model import Input, OnlineModel, Parsed

HEADER_LENGTH = b"inference-header-content-length"
EXTENSIONS = ("binary_tensor_data", "model_repository")
LONGEST_ID = 1024
_BINARY_TYPES = ("application/json", "application/octet-stream", "")

_V2_TYPE = {"number": "FP64", "integer": "INT64", "decimal": "FP64", "bool": "BOOL"}
_encode = msgspec.json.Encoder().encode

Parameter = bool | int | float | str | None


class InputTensor(msgspec.Struct):
    """An input as it comes."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Parameter] = {}
    data: Any = msgspec.UNSET


class OutputRequest(msgspec.Struct):
    """An output that is asked for."""

    name: str
    parameters: dict[str, Parameter] = {}


class InferRequest(msgspec.Struct):
    """The JSON of a request."""

    inputs: list[InputTensor]
    id: str | None = None
    parameters: dict[str, Parameter] = {}
    outputs: list[OutputRequest] | None = None


_decoder = msgspec.json.Decoder(InferRequest)


async def server(_: Context, __: Request) -> Response:
    """Name, version and extensions of the server."""
    return json_response({"name": "tidemill", "version": VERSION, "extensions": list(EXTENSIONS)})


async def live(_: Context, __: Request) -> Response:
    """The server can answer at all."""
    return json_response({"live": True})


async def ready(ctx: Context, _: Request) -> Response:
    """Every model is ready, and the server does not drain."""
    now = is_ready(ctx)
    return json_response({"ready": now}, status=200 if now else 503)


async def model_ready(ctx: Context, request: Request) -> Response:
    """Whether a model, or one version of it, can answer."""
    deployment = ctx.deployment(request.params[0])
    if deployment.stopped and deployment.settings.fallback is None:
        raise UnavailableError(f"deployment {deployment.name} is stopped")
    if _asked_version(deployment, request) is None and deployment.champion is None:
        raise UnavailableError(f"deployment {deployment.name} has no version that can answer")
    return json_response({"name": deployment.name, "ready": True})


async def model(ctx: Context, request: Request) -> Response:
    """The inputs and outputs of a model."""
    deployment = ctx.deployment(request.params[0])
    return json_response(metadata(deployment, _asked_version(deployment, request) or _current(deployment)))


def metadata(deployment: LiveDeployment, found: OnlineModel) -> dict[str, Any]:
    """A version as the protocol describes it."""
    outputs = [{"name": f"predicted_{found.label}", "datatype": _label_type(found), "shape": [-1]}]
    if found.classes:
        outputs.append({"name": "probabilities", "datatype": "FP64", "shape": [-1, len(found.classes)]})
    return {
        "name": deployment.name,
        "versions": [str(one) for one in sorted(deployment.standing.models)],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": one.name, "datatype": v2_type(one), "shape": [-1]} for one in found.inputs],
        "outputs": outputs,
    }


async def repository(ctx: Context, _: Request) -> Response:
    """Every model and version that is loaded (Triton's repository extension; it loads and unloads nothing)."""
    rows = [
        {"name": one.name, "version": str(version), "state": "READY", "reason": ""}
        for one in ctx.live.deployments.values()
        for version in sorted(one.standing.models)
    ]
    return json_response(rows)


async def infer(ctx: Context, request: Request) -> Response:
    """Answer tensors: one a column, or a single matrix where all columns are numbers."""
    deployment = ctx.deployment(request.params[0])
    check_media_type(request, *_BINARY_TYPES)
    named = _asked_version(deployment, request)
    given, binary = _decode(request)
    columns = _tensors(given, binary, named or _current(deployment))

    def read(model: OnlineModel, key: str, each: bool) -> Parsed:
        return model.rows_of_dicts(_rows(columns), key=key, each=each)

    return await answer(
        ctx,
        request,
        Ask(
            deployment,
            read=read,
            write=lambda answered: _write(answered, given, deployment),
            rows=lambda: len(next(iter(columns.values()))),
            version=named,
        ),
    )


def v2_type(given: Input) -> str:
    """The datatype of a column; whatever has none is text."""
    return _V2_TYPE.get(given.kind, "BYTES")


def _label_type(found: OnlineModel) -> str:
    if not found.classes or all(isinstance(one, float) for one in found.classes):
        return "FP64"
    if all(isinstance(one, bool) for one in found.classes):
        return "BOOL"
    return "INT64" if all(type(one) is int for one in found.classes) else "BYTES"


def _current(deployment: LiveDeployment) -> OnlineModel:
    found = deployment.champion or deployment.challenger
    if found is None:
        raise UnavailableError(f"deployment {deployment.name} has no version that can answer")
    return found


def _asked_version(deployment: LiveDeployment, request: Request) -> OnlineModel | None:
    """The version that the client names, if it does.

    Raises
    ------
    NotFoundError
        It is not loaded.
    """
    if len(request.params) < 2:
        return None
    text = request.params[1]
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    found = deployment.version(number)
    if found is None:
        loaded = ", ".join(str(one) for one in sorted(deployment.standing.models)) or "none"
        raise NotFoundError(f"deployment {deployment.name} serves no version {text[:40]}", hint=f"it serves {loaded}")
    return found


def _decode(request: Request) -> tuple[InferRequest, bytes]:
    """The JSON of a request, and the bytes of its tensors behind it."""
    body = request.body
    length = request.head.get(HEADER_LENGTH)
    at = len(body)
    if length is not None:
        if not length.isdigit() or len(length) > 12 or int(length) > len(body):
            raise BodyError(f"Inference-Header-Content-Length is no length within the body: {length[:20]!r}")
        at = int(length)
    try:
        given = _decoder.decode(body[:at])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BodyError(f"the request cannot be read: {error}"[:300]) from None
    if given.id is not None and len(given.id) > LONGEST_ID:
        raise BodyError(
            f"the id has {len(given.id):,} characters, and at most {LONGEST_ID:,} are given back", field="id"
        )
    return given, body[at:]


def _tensors(given: InferRequest, binary: bytes, model: OnlineModel) -> dict[str, list[Any]]:
    """The columns of a request, each a list of values."""
    if not given.inputs:
        raise BodyError("inputs is empty", hint=_wanted(model), field="inputs")
    found: dict[str, tuple[InputTensor, list[Any]]] = {}
    at = 0
    for one in given.inputs:
        if one.name in found:
            raise BodyError(f"input {one.name[:128]!r} comes twice", field=one.name[:128])
        count = check_tensor(one.name[:128], one.datatype, one.shape, most=64 << 20)
        size = one.parameters.get("binary_data_size")
        if size is not None:
            if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(binary) - at:
                raise BodyError(
                    f"input {one.name[:128]!r}: binary_data_size is not within the body", field=one.name[:128]
                )
            elements = binary_elements(one.name[:128], one.datatype, binary[at : at + size], count)
            at += size
        else:
            data = None if one.data is msgspec.UNSET else one.data
            elements = json_elements(one.name[:128], one.datatype, one.shape, data, count)
        found[one.name] = (one, elements)
    if at != len(binary):
        raise BodyError(f"{len(binary) - at:,} bytes behind the tensors belong to none")
    return _matrix(found, model) or _columns(found, model)


def _matrix(found: Mapping[str, tuple[InputTensor, list[Any]]], model: OnlineModel) -> dict[str, list[Any]] | None:
    """The columns of a single matrix, in the model's order; None when it is something else."""
    if len(found) != 1:
        return None
    ((name, (tensor, elements)),) = found.items()
    width = len(model.inputs)
    if name_key(name) in {name_key(one.name) for one in model.inputs} and width != 1:
        return None
    numbers = all(one.kind in ("number", "integer", "decimal") for one in model.inputs)
    if len(tensor.shape) != 2 or tensor.shape[1] != width or tensor.datatype in ("BYTES", "BOOL") or not numbers:
        return None
    return {one.name: elements[at::width] for at, one in enumerate(model.inputs)}


def _columns(found: Mapping[str, tuple[InputTensor, list[Any]]], model: OnlineModel) -> dict[str, list[Any]]:
    known = {name_key(one.name): one for one in model.inputs}
    columns: dict[str, list[Any]] = {}
    rows = -1
    for name, (tensor, elements) in found.items():
        if len(tensor.shape) > 2 or (len(tensor.shape) == 2 and tensor.shape[1] != 1):
            raise BodyError(
                f"input {name[:128]!r} has the shape {tensor.shape}: a column has [rows] or [rows, 1]",
                hint=_wanted(model),
                field=name[:128],
            )
        if rows not in (-1, len(elements)):
            raise BodyError(f"input {name[:128]!r} has {len(elements):,} rows, the inputs before it {rows:,}",
                            field=name[:128])  # fmt: skip
        rows = len(elements)
        column = known.get(name_key(name))
        columns[name] = elements if column is None else _as_column(column, tensor.datatype, elements)
    missing = [one.name for one in model.inputs if name_key(one.name) not in {name_key(name) for name in columns}]
    if missing:
        raise BodyError(f"input {missing[0]!r} is missing", hint=_wanted(model), field=missing[0])
    if rows == 0:
        raise BodyError("the inputs have no rows")
    return columns


def _as_column(column: Input, datatype: str, elements: list[Any]) -> list[Any]:
    """Elements as JSON would have them for a column: lists and structs travel as JSON text."""
    if column.kind in ("array", "struct") and datatype == "BYTES":
        try:
            return [None if one is None else msgspec.json.decode(one) for one in elements]
        except (msgspec.MsgspecError, RecursionError):
            raise BodyError(f"input {column.name!r} takes JSON text", field=column.name) from None
    if column.kind == "integer" and datatype in FLOATS:
        return [int(one) if isinstance(one, float) and one.is_integer() else one for one in elements]
    return elements


def _wanted(model: OnlineModel) -> str:
    shown = ", ".join(f"{one.name} ({v2_type(one)})" for one in model.inputs[:8])
    return f"the inputs are {shown}{', ...' if len(model.inputs) > 8 else ''}"


def _rows(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    names = list(columns)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _write(answered: Answered, given: InferRequest, deployment: LiveDeployment) -> tuple[bytes, tuple[Header, ...]]:
    """The answer's JSON, with the tensors' bytes behind it where they were asked for."""
    tensors = _outputs(answered)
    binary_all = given.parameters.get("binary_data_output") is True
    if given.outputs:
        unknown = [one.name for one in given.outputs if one.name not in tensors]
        if unknown:
            raise NotFoundError(
                f"there is no output {unknown[0][:128]!r}", hint=f"the outputs are {', '.join(tensors)}"
            )
        asked = {one.name: one.parameters.get("binary_data", binary_all) is True for one in given.outputs}
    else:
        asked = dict.fromkeys(tensors, binary_all)
    outputs, raw = [], []
    for name, binary in asked.items():
        datatype, shape, elements = tensors[name]
        output: dict[str, Any] = {"name": name, "datatype": datatype, "shape": shape}
        if binary:
            raw.append(to_binary(datatype, elements))
            output["parameters"] = {"binary_data_size": len(raw[-1])}
        else:
            output["data"] = elements
        outputs.append(output)
    told: dict[str, Any] = {"model_name": deployment.name}
    if answered.model is not None:
        told["model_version"] = str(answered.model.version)
    if given.id is not None:
        told["id"] = given.id
    told |= {"parameters": {"prediction_id": answered.id}, "outputs": outputs}
    text = _encode(told)
    if not raw:
        return text, (JSON,)
    length = (b"inference-header-content-length", b"%d" % len(text))
    return b"".join([text, *raw]), ((b"content-type", b"application/octet-stream"), length)


def _outputs(answered: Answered) -> dict[str, tuple[str, list[int], list[Any]]]:
    """The output tensors: datatype, shape, elements in row-major order."""
    rows = len(answered.predictions)
    model, answers = answered.model, answered.answers
    if model is None or answers is None:
        return {"prediction": (_type_of(answered.predictions), [rows], list(answered.predictions))}
    kind = _label_type(model)
    predictions = list(answers.predictions)
    if kind == "BYTES":
        predictions = [one if isinstance(one, str) or one is None else _encode(one).decode() for one in predictions]
    tensors = {f"predicted_{model.label}": (kind, [rows], predictions)}
    if answers.probabilities is not None:
        flat = [value for row in answers.probabilities for value in row]
        tensors["probabilities"] = ("FP64", [rows, len(model.classes)], flat)
    return tensors


def _type_of(values: Sequence[Any]) -> str:
    one = values[0] if values else ""
    kinds = {bool: "BOOL", int: "INT64", float: "FP64"}
    return kinds.get(type(one), "BYTES")
