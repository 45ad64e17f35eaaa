"""Alerts to HTTP servers: signed JSON for webhooks, and what Slack's incoming webhooks take.

No redirect is followed: a message, and its signature, go to the address that the settings name and nowhere else, least
of all to one inside a private network that an outside server names.

References
----------
.. [1] Standard Webhooks, https://github.com/standard-webhooks/standard-webhooks (headers and signature).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from tidemill.core.errors import SettingsError
from tidemill.core.version import VERSION
from tidemill.monitoring import words
from tidemill.monitoring.sinks.letter import Letter, RefusedError, no_longer_than
from tidemill.warehouse.control.connection import to_json

LONGEST_ANSWER = 65_536
# Answers that may be another one next time, or once somebody has put something right over there.
_MAY_PASS = frozenset({401, 403, 404, 408, 409, 423, 425, 429})
_LONGEST_TEXT = 2_900


def send_webhook(letter: Letter) -> None:
    """Post the message as JSON.

    The body is signed where there is a secret: HMAC-SHA256 over id, time and body, as [1]_ says. The id is in
    ``Idempotency-Key`` too.
    """
    body = to_json({"id": letter.id, "type": f"alert.{letter.told['happening']}", "data": letter.told}).encode()
    moment = str(int(letter.now.timestamp()))
    headers = {"webhook-id": letter.id, "webhook-timestamp": moment, "Idempotency-Key": letter.id}
    secret = letter.secret("secret")
    if secret:
        headers["webhook-signature"] = signature(secret, letter.id, moment, body)
    _post(letter, body, headers)


def send_slack(letter: Letter) -> None:
    """Post a text in Slack's markup: the headline in bold, evidence and the rest below."""
    told = letter.told
    text = words.plain_text(told)
    head, _, rest = text.partition("\n")
    body = f"*{_escaped(head)}*\n{_escaped(rest.strip())}"
    cut = body if len(body) <= _LONGEST_TEXT else f"{body[:_LONGEST_TEXT]}…"
    block = {"type": "section", "text": {"type": "mrkdwn", "text": cut}}
    said = {"text": _escaped(words.subject_line(told)), "blocks": [block]}
    _post(letter, to_json(said).encode(), {})


def signature(secret: str, message_id: str, moment: str, body: bytes) -> str:
    """The ``webhook-signature`` of a body [1]_; a secret that begins with ``whsec_`` is base64."""
    key = secret.encode()
    if secret.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except ValueError:
            raise SettingsError("a webhook's secret that begins with whsec_ must be base64 after that") from None
    signed = hmac.new(key, f"{message_id}.{moment}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def _escaped(text: str) -> str:
    """Slack's three characters: a name from data cannot begin a link or call a channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _post(letter: Letter, body: bytes, headers: Mapping[str, str]) -> None:
    address = letter.secret("url")
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(f"alerts.{letter.sink.name}.url is not an address that begins with http:// or https://")
    path = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    try:
        port = parts.port
        connection = _connection(parts.scheme, parts.hostname, port, letter.timeout_s)
        with no_longer_than(letter.timeout_s, lambda: _cut(connection)):
            status = _ask(connection, path, body, headers)
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"it did not answer in HTTP ({type(error).__name__})") from None
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise RefusedError(f"it answered {status}, a redirect, which is not followed: name the address it leads to")
    kind = OSError if status >= 500 or status in _MAY_PASS else RefusedError
    raise kind(f"it answered {status}")


def _connection(scheme: str, host: str, port: int | None, timeout_s: float) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=timeout_s)


def _ask(connection: http.client.HTTPConnection, path: str, body: bytes, headers: Mapping[str, str]) -> int:
    plain = {"Content-Type": "application/json", "User-Agent": f"tidemill/{VERSION}"}
    try:
        connection.request("POST", path, body=body, headers={**plain, **headers})
        answer = connection.getresponse()
        answer.read(LONGEST_ANSWER)
        return answer.status
    finally:
        connection.close()


def _cut(connection: http.client.HTTPConnection) -> None:
    """Break a connection off, from another thread: whoever waits for it gets an error."""
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
