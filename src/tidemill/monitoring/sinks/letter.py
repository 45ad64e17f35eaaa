"""What a sink is handed to send, and what it may do meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any

from tidemill.core.alerting import SinkSettings
from tidemill.core.secrets import expand, read_secret_file


class RefusedError(OSError):
    """The other side refuses this message: another try would change nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message, on its way to one sink.

    Parameters
    ----------
    id
        The same at every try: whoever gets it twice can tell.
    told
        The message, as `words.message` makes it.
    timeout_s
        How long sending it may take, all in all.
    """

    id: str
    told: Mapping[str, Any]
    sink: SinkSettings
    root: Path
    environment: Mapping[str, str]
    timeout_s: float
    now: datetime

    def secret(self, name: str) -> str:
        """A setting that is a secret, out of the environment or a file of mode 0600; '' where there is none.

        Raises
        ------
        SettingsError
            The variable is not set, or the file cannot be read, or others can read it.
        """
        path = f"alerts.{self.sink.name}.{name}"
        file = getattr(self.sink, f"{name}_file")
        if file:
            return read_secret_file(self.root / Path(file).expanduser(), f"{path}_file")
        return expand(getattr(self.sink, name), path, self.environment)


@contextmanager
def no_longer_than(seconds: float, stop: Callable[[], None]) -> Iterator[None]:
    """Stop something that takes too long: a timeout of a socket begins anew with every byte that drips in.

    Raises
    ------
    TimeoutError
        It was stopped, and broke off with an error because of that.
    """
    over = threading.Event()

    def cut() -> None:
        over.set()
        stop()

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, HTTPException):
        if over.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
