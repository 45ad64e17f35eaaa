"""Alerts by e-mail: text, the same as HTML, and the chart as a picture."""

from __future__ import annotations

import smtplib
import socket
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from html import escape

from tidemill.monitoring import words
from tidemill.monitoring.chart import chart_svg
from tidemill.monitoring.sinks.letter import Letter, RefusedError, no_longer_than

_LONGEST_SUBJECT = 180


def send(letter: Letter) -> None:
    """Hand the message to the SMTP server of the settings."""
    mail = compose(letter)
    try:
        with _open(letter) as server, no_longer_than(letter.timeout_s, lambda: _cut(server)):
            _encrypt_and_log_in(server, letter)
            server.send_message(mail)
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        raise _refusal(error) from None
    except smtplib.SMTPResponseException as error:
        raise OSError(f"it answered {error.smtp_code} {_said(error.smtp_error)}") from None


def compose(letter: Letter) -> EmailMessage:
    """The mail: those about one alert belong to one thread."""
    told, sink = letter.told, letter.sink
    mail = EmailMessage()
    subject = words.subject_line(told)
    mail["Subject"] = subject if len(subject) <= _LONGEST_SUBJECT else f"{subject[:_LONGEST_SUBJECT]}…"
    mail["From"] = sink.sender
    mail["To"] = ", ".join(sink.to)
    mail["Date"] = format_datetime(letter.now)
    domain = parseaddr(sink.sender)[1].rpartition("@")[2] or "tidemill"
    mail["Message-ID"] = f"<{letter.id}@{domain}>"
    mail["References"] = f"<tidemill-alert-{told['alert']}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    text = words.plain_text(told)
    mail.set_content(text)
    owner, runbook = told.get("owner", ""), told.get("runbook", "")
    page = _linked(escape(text), escape(runbook))
    mail.add_alternative(f'<pre style="font: 14px/1.4 monospace">{page}</pre>', subtype="html")
    if told["chart"].get("windows"):
        picture = chart_svg(told["chart"], owner=owner, runbook=runbook).encode()
        mail.add_attachment(picture, maintype="image", subtype="svg+xml", filename=f"alert-{told['alert']}.svg")
    return mail


def _linked(page: str, address: str) -> str:
    return page.replace(f"runbook: {address}", f'runbook: <a href="{address}">{address}</a>', 1) if address else page


def _open(letter: Letter) -> smtplib.SMTP:
    sink = letter.sink
    if sink.tls == "tls":
        return smtplib.SMTP_SSL(sink.host, sink.port, timeout=letter.timeout_s, context=ssl.create_default_context())
    return smtplib.SMTP(sink.host, sink.port, timeout=letter.timeout_s)


def _encrypt_and_log_in(server: smtplib.SMTP, letter: Letter) -> None:
    if letter.sink.tls == "starttls":
        try:
            server.starttls(context=ssl.create_default_context())
        except smtplib.SMTPNotSupportedError:
            raise OSError("it does not offer STARTTLS, and nothing is sent in the clear") from None
    if letter.sink.user:
        try:
            server.login(letter.sink.user, letter.secret("password"))
        except smtplib.SMTPNotSupportedError:
            raise OSError("it takes no login") from None


def _refusal(error: smtplib.SMTPRecipientsRefused | smtplib.SMTPResponseException) -> OSError:
    """Whether it stays refused: codes of 500 and more do, those of 400 may pass."""
    code: int
    said: bytes | str
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
    else:
        code, said = error.smtp_code, error.smtp_error
    kind = RefusedError if code >= 500 else OSError
    return kind(f"it answered {code} {_said(said)}")


def _said(text: bytes | str) -> str:
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return " ".join(plain.split())[:200]


def _cut(server: smtplib.SMTP) -> None:
    if server.sock is not None:
        with suppress(OSError):
            server.sock.shutdown(socket.SHUT_RDWR)
