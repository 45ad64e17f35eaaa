"""What of a request goes into its record: what the model read, what slices name, hashed or left out as settings say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tidemill.api.request import Request
from tidemill.core.sections import DeploymentSettings
from tidemill.serving.log.redact import redact, redact_keys
from tidemill.serving.online.along import inputs_with

if TYPE_CHECKING:
    from tidemill.serving.online.model import OnlineModel, Parsed

NO_ROWS = b'{"rows":[]}'


def logged(
    settings: DeploymentSettings, model: OnlineModel | None, parsed: Parsed | None, rows: int, log_key: bytes
) -> tuple[bytes, Sequence[str | None]]:
    """The inputs and the keys as they are logged.

    Parameters
    ----------
    model, parsed
        The version that read the request, and what it read; None where none could.
    rows
        How many rows it has.
    """
    if model is None or parsed is None:
        return NO_ROWS, [None] * rows
    along = model.unread(settings.monitor.slices) if settings.monitor.slices else []
    inputs, keys = inputs_with(parsed, along) if along else parsed.inputs_json(), parsed.keys
    hide, omit = settings.hash_columns, settings.omit_columns
    if not hide and not omit:
        return inputs, keys
    hidden = redact_keys(keys, settings.key, hash_columns=hide, omit_columns=omit, key=log_key)
    return redact(inputs, hide, omit, log_key), hidden


def trace_id(request: Request) -> str:
    """The trace that a request belongs to, by its ``traceparent`` header.

    References
    ----------
    .. [1] W3C Trace Context. https://www.w3.org/TR/trace-context/
    """
    given = request.head.get(b"traceparent")
    if given is None or len(given) < 55 or given[2:3] != b"-" or given[35:36] != b"-":
        return ""
    found = given[3:35]
    return found.decode("ascii") if found.isalnum() and found.isascii() else ""
