"""Tidemill: the machine-learning lifecycle on a database, in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidemill.core.version import VERSION

if TYPE_CHECKING:
    from tidemill.project import Project
    from tidemill.project import open_project as open  # noqa: A004 - users say tidemill.open(...)

__version__ = VERSION
__all__ = ["Project", "__version__", "open"]


def __getattr__(name: str) -> Any:
    """Load the project's classes when they are first asked for: `import tidemill` itself costs nothing."""
    if name in {"open", "Project"}:
        from tidemill import project

        return project.open_project if name == "open" else project.Project
    if name == "load_ipython_extension":  # %load_ext tidemill
        from tidemill.notebook import load_ipython_extension

        return load_ipython_extension
    raise AttributeError(f"module 'tidemill' has no attribute {name!r}")
