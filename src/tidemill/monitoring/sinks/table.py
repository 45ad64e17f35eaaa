"""Which function sends to which kind of sink; a test demands one for each kind of `core.alerting.SINK_KINDS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tidemill.monitoring.sinks import email, http, log
from tidemill.monitoring.sinks.letter import Letter

Send = Callable[[Letter], None]
"""Sends one letter, or raises OSError; `RefusedError` where another try would change nothing."""

SENDERS: Mapping[str, Send] = MappingProxyType(
    {"log": log.send, "email": email.send, "webhook": http.send_webhook, "slack": http.send_slack}
)
