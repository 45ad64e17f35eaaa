"""Cut what serving needs out of the development lock: ``python scripts/lock_serving.py``, after ``make lock``."""

from __future__ import annotations

import re
from importlib.metadata import requires
from pathlib import Path

from tidemill.export.requirements import LOCK, TREES, read_entries

ROOT = Path(__file__).parents[1]
ROOTS = (
    *("duckdb", "duckdb-extensions", "duckdb-extension-ducklake", "duckdb-extension-sqlite-scanner"),
    *("click", "httptools", "msgspec", "numpy", "onnxruntime", "prometheus-client", "pyarrow", "sqlglot"),
    *("uvicorn", "uvloop", *sorted(TREES)),
)
"""What a server and its collector import."""


def needed() -> set[str]:
    """The roots and all they require here."""
    found: set[str] = set()
    waiting = list(ROOTS)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found.add(name)
        for line in requires(name) or []:
            if "extra ==" not in line and "platform_system" not in line and "nvidia" not in line:
                waiting.append(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0])
    return found


def serving_lock() -> str:
    """The lock of a server, from the development lock."""
    names = needed()
    lock = read_entries((ROOT / "requirements" / "dev.lock").read_text(encoding="utf-8"))
    return "".join(lines for name, lines in lock if name in names)


if __name__ == "__main__":
    (ROOT / "src" / "tidemill" / "export" / LOCK).write_text(serving_lock(), encoding="utf-8")
