"""The contract of an incremental table: it holds of the whole table, and is checked where new rows can break it.

Rows from before were checked when they came. A check of single rows is asked of the new ones only; one that looks at
all rows together is asked of the table as it will be: the rows that stay, and the new ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from tidemill.core.names import name_key, quote_name, quote_path
from tidemill.runner.checking import Checked, check_rows
from tidemill.sql.contract_options import CONTRACT_OPTIONS

if TYPE_CHECKING:
    from tidemill.runner.stations import Stations
    from tidemill.sql.incremental import Incremental
    from tidemill.sql.statements import Constraint, CreateTable
    from tidemill.warehouse.protocol import Merge, Session, Staged

Again = Literal["all", "others", "none"]

# Options that look at the table as a whole: how many rows it has, how its values lie.
_RULES = frozenset(option.name.lower() for option in CONTRACT_OPTIONS)


def check_increment(
    statement: CreateTable,
    rule: Incremental,
    new: Staged,
    merge: Merge | None,
    *,
    stations: Stations,
    session: Session,
    run_id: str,
    step: str,
    again: Again = "none",
) -> Checked:
    """Check the constraints on staged rows, and on the table as it will be with them.

    Parameters
    ----------
    merge
        How the rows meet the table; without it they are the table.
    again
        Which checks the rows from before have not seen as they are now: all, or those that look into other tables.
    """

    def checked(part: CreateTable, rows: Staged) -> Checked:
        return check_rows(part, stations=stations, session=session, staged=rows, run_id=run_id, step=step)

    if merge is None:
        return checked(statement, new)
    engine = stations.warehouse.dialect
    dialect = statement.source.dialect
    wide = [one for one in statement.constraints if _looks_at_all(one, rule, dialect, engine, again=again)]
    of_table = tuple(option for option in statement.options if option.name.lower() in _RULES)
    narrow = tuple(one for one in statement.constraints if one not in wide)
    plain = tuple(option for option in statement.options if option not in of_table)
    of_new = checked(replace(statement, constraints=narrow, options=plain), new)
    if not wide and not of_table:
        return of_new
    whole = _as_it_will_be(session, new, merge, statement.name)
    of_all = checked(replace(statement, constraints=tuple(wide)), whole)
    return replace(of_new, results=(*of_new.results, *of_all.results), warnings=(*of_new.warnings, *of_all.warnings))


def _looks_at_all(constraint: Constraint, rule: Incremental, dialect: str, engine: str, *, again: Again) -> bool:
    if again == "all" or (again == "others" and constraint.kind == "references"):
        return True
    if constraint.kind in ("unique", "primary_key"):
        # Rows with a key that comes again go, so what is unique among the new rows is unique in the table.
        columns = {name_key(column) for column in constraint.columns}
        return not rule.keys or not {name_key(key) for key in rule.keys} <= columns
    if constraint.kind != "check":
        return False
    from tidemill.sql.conditions import understand

    return understand(constraint, dialect=dialect, engine=engine).shape in (
        ("table", "window", "query") if again == "others" else ("table", "window")
    )


def _as_it_will_be(session: Session, new: Staged, merge: Merge, table: str) -> Staged:
    """The rows that stay and the new ones, as something to check."""
    stay = f"SELECT * FROM {quote_path(table)}"
    if merge.keys:
        keys = ", ".join(map(quote_name, merge.keys))
        for come in (new, *([merge.gone] if merge.gone is not None else [])):
            stay = f"SELECT * FROM ({stay}) ANTI JOIN (SELECT {keys} FROM {come.relation}) USING ({keys})"
    relation = f"({stay} UNION ALL BY NAME SELECT * FROM {new.relation})"
    ((rows,),) = session.fetch(f"SELECT count(*) FROM {relation}")
    return replace(new, relation=relation, rows=rows, columns=merge.columns)
