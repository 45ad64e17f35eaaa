"""JSON Schemas of what a model takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tidemill.api.v2 import v2_type
from tidemill.core.names import name_key
from tidemill.serving.log.label_values import NUMBER_PATTERN, TRUTH_PATTERN, values_of
from tidemill.serving.log.texts import text_of
from tidemill.serving.online.answers import label_text
from tidemill.serving.online.model import OnlineModel
from tidemill.serving.online.types import EXACT, JsonType

Json = dict[str, Any]

ERROR: Json = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "where", "hint", "facts"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "where": {"type": ["object", "null"]},
                "hint": {"type": "string"},
                "facts": {"type": "object"},
            },
        }
    },
}
V2_ERROR: Json = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}, "code": {"type": "string"}, "facts": {"type": "object"}},
}

_SCALARS: Mapping[str, Json] = {
    "number": {"type": ["number", "null"]},
    "integer": {"type": ["integer", "null"], "minimum": -EXACT, "maximum": EXACT},
    "decimal": {"type": ["number", "null"], "minimum": -EXACT, "maximum": EXACT},
    "text": {"type": ["string", "null"]},
    "bool": {"type": ["boolean", "null"]},
    "bytes": {"type": ["string", "null"], "contentEncoding": "base64", "pattern": "^([A-Za-z0-9+/]{4})*$"},
    "date": {"type": ["string", "null"], "format": "date"},
    "time": {"type": ["string", "null"], "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$"},
    "datetime": {
        "type": ["string", "null"],
        "pattern": "^(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$",
    },
    "timestamp": {
        "type": ["string", "null"],
        "pattern": "^(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$",
    },
}


def json_schema(type_: JsonType) -> Json:
    """The schema of a column's values."""
    if type_.kind == "array" and type_.item is not None:
        return {"type": ["array", "null"], "items": json_schema(type_.item)}
    if type_.kind == "struct":
        names = [name for name, _ in type_.fields]
        properties = {name: json_schema(of) for name, of in type_.fields}
        return {"type": ["object", "null"], "required": names, "properties": properties}
    return dict(_SCALARS[type_.kind])


def row_schema(model: OnlineModel) -> Json:
    """One row."""
    properties = {one.name: json_schema(one.json) for one in model.inputs}
    return {"type": "object", "required": list(properties), "properties": properties}


def columns_schema(model: OnlineModel) -> Json:
    """Rows by column; that the lists are equally long is beyond a schema, so they hold one value here."""
    properties = {one.name: {"type": "array", "minItems": 1, "items": json_schema(one.json)} for one in model.inputs}
    return {"type": "object", "required": list(properties), "properties": properties}


def answer_schema(model: OnlineModel) -> Json:
    """The plain answer."""
    prediction: Json = {"enum": [*model.classes, None]} if model.classes else {"type": ["number", "null"]}
    row: Json = {
        "type": "object",
        "required": ["id"],
        "properties": {"id": {"type": "string"}, "prediction": prediction, "error": {"type": "object"}},
    }
    if model.classes:
        of = {"type": "number", "minimum": 0, "maximum": 1}
        row["properties"]["probabilities"] = {
            "type": ["object", "null"],
            "properties": {label_text(one): of for one in model.classes},
        }
    return {
        "type": "object",
        "required": ["model", "version", "predictions"],
        "properties": {
            "model": {"type": ["string", "null"]},
            "version": {"type": ["integer", "null"]},
            "predictions": {"type": "array", "items": row},
        },
    }


def label_schema(model: OnlineModel, *, key: str) -> Json:
    """Labels of predictions."""
    properties: Json = {
        "id": {"type": "string", "minLength": 1},
        "label": _label_value(model),
        "time": _SCALARS["timestamp"],
        "known_at": _SCALARS["timestamp"],
    }
    row: Json = {
        "type": "object",
        "required": ["label", "id"],
        "properties": properties,
        "additionalProperties": False,
    }
    if key and name_key(key) == "id":
        properties["id"] = {"type": ["string", "number", "boolean"]}
    elif key:
        properties[key] = {"type": ["string", "number", "boolean"]}
        row["required"] = ["label"]
        row["anyOf"] = [{"required": ["id"]}, {"required": [key]}]
    return {
        "type": "object",
        "required": ["labels"],
        "properties": {"labels": {"type": "array", "minItems": 1, "items": row}},
    }


def _label_value(model: OnlineModel) -> Json:
    """A class as the model has it, or as text; a truth or a number in each way that is read as one."""
    values = values_of(model.classes)
    if values.truths:
        return {"anyOf": [{"enum": [*model.classes, 0, 1]}, {"type": "string", "pattern": TRUTH_PATTERN}]}
    if not model.classes:
        return {"type": ["number", "string"], "pattern": NUMBER_PATTERN}
    return {"enum": [*model.classes, *(text_of(one) for one in model.classes if not isinstance(one, str))]}


def v2_request_schema() -> Json:
    """Tensors, as the protocol has them."""
    return {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "inputs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name", "shape", "datatype", "data"],
                    "properties": {
                        "name": {"type": "string"},
                        "shape": {"type": "array", "items": {"type": "integer"}},
                        "datatype": {"type": "string"},
                        "data": {"type": "array"},
                    },
                },
            },
        },
    }


def v2_response_schema() -> Json:
    """The answer's tensors."""
    return {
        "type": "object",
        "required": ["model_name", "outputs"],
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "outputs": {"type": "array", "items": {"type": "object", "required": ["name", "shape", "datatype"]}},
        },
    }


def v2_examples(model: OnlineModel, sample: Mapping[str, Any]) -> Json:
    """One row as tensors."""
    inputs = [
        {"name": one.name, "shape": [1], "datatype": v2_type(one), "data": [sample[one.name]]}
        for one in model.inputs
        if one.kind not in ("array", "struct")
    ]
    return {"one row": {"value": {"id": "42", "inputs": inputs}}}
