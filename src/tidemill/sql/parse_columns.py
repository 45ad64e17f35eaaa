"""The column list of CREATE TABLE: names, types, constraints and options, for any subset of the columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlglot.tokenizer_core import Token, TokenType  # noqa: TID253

from tidemill.sql.parse_errors import placed
from tidemill.sql.parse_literals import STRINGS, expect, read_options, read_value
from tidemill.sql.paths import full_path_of, path_of
from tidemill.sql.statements import ColumnDef, Constraint, OptionValue
from tidemill.sql.text import Text

# sqlglot reads PRIMARY KEY and FOREIGN KEY as one token each.
TABLE_WORDS = ("CONSTRAINT", "PRIMARY KEY", "UNIQUE", "CHECK", "FOREIGN KEY")
COLUMN_WORDS = (
    "CONSTRAINT",
    "NOT",
    "NULL",
    "PRIMARY KEY",
    "UNIQUE",
    "REFERENCES",
    "CHECK",
    "DEFAULT",
    "OPTIONS",
    "COLLATE",
)


@dataclass(slots=True)
class ColumnList:
    """What a column list says."""

    columns: list[ColumnDef] = field(default_factory=list)
    constraints: list[Constraint] = field(default_factory=list)


def read_column_list(p: Any, text: Text) -> ColumnList:
    """``(column [type] [constraint ...], table constraint, ...)``, the parser standing at the parenthesis."""
    result = ColumnList()
    expect(p, "(")
    while p._curr and p._curr.text != ")":
        if _at_table_constraint(p):
            result.constraints.append(_read_constraint(p, text, ()))
        else:
            _read_column(p, text, result)
        if not p._match(TokenType.COMMA):
            break
    expect(p, ")", hint="a column is: name [type] [NOT NULL | PRIMARY KEY | UNIQUE | REFERENCES t (c) | CHECK (...)]")
    return result


def _at_table_constraint(p: Any) -> bool:
    """Whether a constraint of the table begins here, and not a column of that name."""
    token, following = p._curr, p._next
    if token.token_type in (TokenType.IDENTIFIER, *STRINGS) or token.text.upper() not in TABLE_WORDS:
        return False
    word, after = token.text.upper(), following.text.upper() if following else ""
    return {
        "PRIMARY KEY": True,
        "FOREIGN KEY": True,
        "UNIQUE": after == "(",
        "CHECK": after == "(",
        "CONSTRAINT": after not in (",", ")"),
    }[word]


def read_name(p: Any, what: str) -> str:
    """One identifier, quoted or not."""
    token: Token | None = p._curr or None
    if token is None or token.token_type in STRINGS or not _is_name(token):
        raise placed(p, f"expected the name of {what}")
    p._advance()
    return token.text


def _is_name(token: Token) -> bool:
    return token.token_type == TokenType.IDENTIFIER or token.text[:1].isalpha() or token.text[:1] == "_"


def _read_column(p: Any, text: Text, result: ColumnList) -> None:
    name = read_name(p, "a column")
    kind = ""
    if p._curr and p._curr.text not in (",", ")") and p._curr.text.upper() not in COLUMN_WORDS:
        kind = _read_type(p, text)
    options: tuple[OptionValue, ...] = ()
    while p._curr and p._curr.text not in (",", ")"):
        word = p._curr.text.upper()
        if word == "OPTIONS":
            p._advance()
            options += read_options(p, text, literal=False)
        elif word == "COLLATE":
            p._advance()
            read_value(p, text)
        elif word == "NULL":
            p._advance()
        elif word == "DEFAULT":
            raise placed(p, "DEFAULT has no meaning for a table made by a query", hint="use COALESCE in the query")
        elif word in COLUMN_WORDS:
            result.constraints.append(_read_constraint(p, text, (name,)))
        else:
            raise placed(
                p, f"expected a constraint, a comma or ) after the column '{name}', found '{p._curr.text[:40]}'"
            )
    result.columns.append(ColumnDef(name=name, type=kind, options=options))


def _read_type(p: Any, text: Text) -> str:
    first = p._curr
    tree = p._parse_types(check_func=False, allow_identifiers=True)
    if tree is None:
        raise placed(p, f"'{first.text[:40]}' is not a type", first)
    return text.text[first.start : p._prev.end + 1]


def _read_constraint(p: Any, text: Text, columns: tuple[str, ...]) -> Constraint:
    """One constraint; ``columns`` is the column it stands at, or empty for one of the table."""
    first = p._curr
    name = ""
    if p._match_text_seq("CONSTRAINT"):
        name = read_name(p, "the constraint")
    facts = _read_rule(p, text, columns)
    enforced = True
    if p._match_text_seq("NOT", "ENFORCED"):
        enforced = False
    else:
        p._match_text_seq("ENFORCED")
    line, column = text.line_column(first.start)
    return Constraint(name=name, enforced=enforced, line=line, column=column, **facts)


def _read_rule(p: Any, text: Text, columns: tuple[str, ...]) -> dict[str, Any]:
    if p._match_text_seq("NOT", "NULL"):
        return {"kind": "not_null", "columns": columns}
    if p._match_text_seq("PRIMARY KEY"):
        return {"kind": "primary_key", "columns": columns or _read_names(p)}
    if p._match_text_seq("UNIQUE"):
        return {"kind": "unique", "columns": columns or _read_names(p)}
    if p._match_text_seq("CHECK"):
        return {"kind": "check", "columns": columns, "expression": _read_check(p, text)}
    if p._match_text_seq("FOREIGN KEY"):
        return _read_references(p, _read_names(p))
    if p._curr and p._curr.text.upper() == "REFERENCES":
        return _read_references(p, columns)
    raise placed(p, "expected NOT NULL, PRIMARY KEY, UNIQUE, REFERENCES or CHECK")


def _read_names(p: Any) -> tuple[str, ...]:
    expect(p, "(")
    names = [read_name(p, "a column")]
    while p._match(TokenType.COMMA):
        names.append(read_name(p, "a column"))
    expect(p, ")")
    return tuple(names)


def _read_references(p: Any, columns: tuple[str, ...]) -> dict[str, Any]:
    if not p._match_text_seq("REFERENCES"):
        raise placed(p, "expected REFERENCES and a table")
    parts = p._parse_table_parts(schema=True)
    path_of(parts, p)
    # With what stands in front of it: a connection, or a BigQuery project, which `lake_name` takes away.
    table = full_path_of(parts)
    foreign = _read_names(p) if p._curr and p._curr.text == "(" else ()
    while p._match_text_seq("ON"):  # ON DELETE / ON UPDATE say what we never do
        p._advance()
        p._match_texts(("CASCADE", "RESTRICT", "SET", "NO"))
        p._match_texts(("NULL", "DEFAULT", "ACTION"))
    return {"kind": "references", "columns": columns, "table": table, "foreign": foreign}


def _read_check(p: Any, text: Text) -> str:
    expect(p, "(")
    first = p._curr
    if first is None or p._parse_assignment() is None:
        raise placed(p, "expected a condition")
    expression = text.text[first.start : p._prev.end + 1]
    expect(p, ")")
    return expression
