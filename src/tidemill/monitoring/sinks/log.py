"""Alerts into a file: one JSON object a line."""

from __future__ import annotations

import os

from tidemill.monitoring.sinks.letter import Letter
from tidemill.warehouse.control.connection import to_json

FILE = ".tidemill/alerts.log"


def send(letter: Letter) -> None:
    """Append the message as one line; several processes may write to one file."""
    path = letter.root / (letter.sink.file or FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    line = memoryview(f"{to_json({'id': letter.id, **letter.told})}\n".encode())
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        while line:
            line = line[os.write(handle, line) :]
    finally:
        os.close(handle)
