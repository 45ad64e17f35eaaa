"""What serving needs of other people's packages, each in one version with its hashes.

``serving.lock`` is cut out of the development lock by ``python scripts/lock_serving.py``; a test holds them together.
"""

from __future__ import annotations

from importlib.resources import files

LOCK = "serving.lock"
TREES = frozenset({"xgboost-cpu", "scipy"})
"""Needed by models of trees only, and only to explain an answer."""


def requirements_text(model_type: str) -> str:
    """The requirements of an image that serves a model of a type, for ``pip install --require-hashes``."""
    trees = model_type.startswith(("BOOSTED_TREE", "RANDOM_FOREST"))
    return "".join(entry for name, entry in entries() if trees or name not in TREES)


def entries() -> list[tuple[str, str]]:
    """Each package of the lock, and its lines."""
    text = files("tidemill.export").joinpath(LOCK).read_text(encoding="utf-8")
    return read_entries(text)


def read_entries(text: str) -> list[tuple[str, str]]:
    """Each package of a lock, and its lines without comments."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not line.startswith(" "):
            found.append((line.partition("==")[0], ""))
        name, lines = found[-1]
        found[-1] = (name, f"{lines}{line}\n")
    return [(name, lines.rstrip().removesuffix("\\").rstrip() + "\n") for name, lines in found]
