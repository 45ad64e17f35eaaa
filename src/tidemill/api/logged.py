"""What of a request goes into its record: values are hashed or left out as the deployment says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tidemill.api.request import Request
from tidemill.core.sections import DeploymentSettings
from tidemill.serving.log.redact import redact, redact_keys

if TYPE_CHECKING:
    from tidemill.serving.online.model import Parsed

NO_ROWS = b'{"rows":[]}'


def logged(
    settings: DeploymentSettings, parsed: Parsed | None, rows: int, log_key: bytes
) -> tuple[bytes, Sequence[str | None]]:
    """The inputs and the keys as they are logged.

    Parameters
    ----------
    parsed
        None where no version could read the request.
    rows
        How many rows it has.
    """
    inputs, keys = (NO_ROWS, [None] * rows) if parsed is None else (parsed.inputs_json(), parsed.keys)
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
