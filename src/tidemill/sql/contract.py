"""What a table promises: its constraints and the rules of its options, as data that no parser is needed for.

It is kept with the summary of its statement, so that a check of an unchanged project starts without a parser.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tidemill.core.columns import hidden_names
from tidemill.core.errors import TidemillError
from tidemill.sql.statements import Constraint, CreateTable

ENGINE = "duckdb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What is checked of a table.

    Parameters
    ----------
    constraints
        The constraints, their conditions understood (`sql.conditions`).
    rules
        Values of the options in `sql.contract_options`, by lower-case name; those that say nothing are left out.
    places
        Line and column of each of these options.
    columns
        The names in the statement's column list.
    hidden
        Keys of columns whose values are shown nowhere: see `core.columns`.
    """

    constraints: tuple[Constraint, ...] = ()
    rules: Mapping[str, Any] = field(default_factory=dict)
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.constraints or self.rules)

    def as_json(self) -> dict[str, Any]:
        """As plain data; what has its default is left out."""
        plain = asdict(Constraint(kind=""))
        constraints = [
            {name: value for name, value in asdict(constraint).items() if value != plain[name]}
            for constraint in self.constraints
        ]
        return {
            "constraints": constraints,
            "rules": dict(self.rules),
            "places": {name: list(place) for name, place in self.places.items()},
            "columns": list(self.columns),
            "hidden": sorted(self.hidden),
        }


def contract_of(statement: CreateTable, *, engine: str = ENGINE) -> Contract:
    """What a statement declares of its table.

    Raises
    ------
    StatementError
        An option is wrong, or a condition cannot be said in the engine's SQL.
    """
    from tidemill.sql.column_options import column_notes
    from tidemill.sql.conditions import understand
    from tidemill.sql.contract_options import CONTRACT_OPTIONS
    from tidemill.sql.table_options import check_table_options

    dialect = statement.source.dialect
    checked = check_table_options(statement)
    named = {option.name.lower() for option in CONTRACT_OPTIONS}
    given = named & checked.given
    rules = {name: checked.values[name] for name in sorted(named) if checked.values[name] is not None} if given else {}
    return Contract(
        constraints=tuple(understand(rule, dialect=dialect, engine=engine) for rule in statement.constraints),
        rules=rules,
        places={option.name.lower(): (option.name_line, option.name_column) for option in statement.options}
        if given
        else {},
        columns=tuple(column.name for column in statement.columns),
        hidden=hidden_names(column_notes(statement.columns, statement.source)[0]),
    )


def hiding(contract: Contract, hidden: frozenset[str]) -> Contract:
    """A contract that shows no values of some columns besides its own hidden ones."""
    return replace(contract, hidden=contract.hidden | hidden) if hidden - contract.hidden else contract


def contract_json(statement: CreateTable) -> dict[str, Any]:
    """The contract for a summary; of a statement that is wrong only that: who carries it out tells why."""
    try:
        contract = contract_of(statement)
    except TidemillError:
        return {"wrong": True}
    return contract.as_json() if contract else {}


def contract_from_json(data: Mapping[str, Any]) -> Contract:
    """A contract as `Contract.as_json` wrote it."""
    listed = ("columns", "foreign", "reads", "measures")
    constraints: list[Constraint] = []
    for item in data.get("constraints", ()):
        values: dict[str, Any] = {name: tuple(value) if name in listed else value for name, value in item.items()}
        constraints.append(Constraint(**values))
    return Contract(
        constraints=tuple(constraints),
        rules=dict(data.get("rules", {})),
        places={name: (line, column) for name, (line, column) in data.get("places", {}).items()},
        columns=tuple(data.get("columns", ())),
        hidden=frozenset(data.get("hidden", ())),
    )
