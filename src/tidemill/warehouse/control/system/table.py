"""What a system table is."""

from __future__ import annotations

from dataclasses import dataclass

DEPLOYMENT_OF_V = "JOIN deployments ON deployments.deployment_key = v.deployment_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemTable:
    """A table people can query.

    Parameters
    ----------
    about
        What a row of it is, for the reference.
    columns
        Name and type: text, int, float, bool, time, json.
    sql
        Its rows, in the control database; '' where they rest elsewhere.
    """

    about: str
    columns: dict[str, str]
    sql: str = ""
