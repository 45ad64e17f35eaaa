"""Asks the server of this container whether it lives: ``python -m tidemill.export.probe``, for Docker's HEALTHCHECK."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException

WAIT_S = 2.0


def lives(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the server answers on this container's port."""
    port = int(environment.get("PORT") or 8080)
    connection = HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if lives() else 1)
