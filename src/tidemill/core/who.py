"""Who acts: the name that lineage and the audit trail write down."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping


def current_user(environment: Mapping[str, str] = os.environ) -> str:
    """``TIDEMILL_USER``, else the user that this process runs as."""
    named = environment.get("TIDEMILL_USER", "").strip()
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user number without a name, as containers have it
        return f"uid {os.getuid()}"
