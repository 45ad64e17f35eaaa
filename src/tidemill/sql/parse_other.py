"""What kind of statement it is; the short statements; and those we refuse, each with its reason."""

from __future__ import annotations

from typing import Any

from sqlglot import exp  # noqa: TID253
from sqlglot.tokenizer_core import TokenType  # noqa: TID253

from tidemill.core.names import did_you_mean
from tidemill.sql.ml_nodes import MLCall
from tidemill.sql.parse_columns import ColumnList, read_column_list
from tidemill.sql.parse_create import read_create_table, read_create_view
from tidemill.sql.parse_errors import placed
from tidemill.sql.parse_literals import STRINGS, read_options
from tidemill.sql.parse_model import read_create_model
from tidemill.sql.parse_query import make_query, read_end, read_exists, read_path, read_query, skip_to
from tidemill.sql.paths import made_path_of
from tidemill.sql.statements import (
    Assert,
    DropModel,
    DropTable,
    InsertInto,
    LoadData,
    OptionValue,
    Other,
    Query,
    Select,
    Source,
    Statement,
)
from tidemill.sql.text import Text

QUERY_STARTS = ("SELECT", "WITH", "FROM", "VALUES", "TABLE", "(")
# The engine's own ways to look at things; they read, and nothing else.
OPAQUE = ("DESCRIBE", "DESC", "SHOW", "EXPLAIN")
LOOKING = (*OPAQUE, "SUMMARIZE", "PIVOT", "UNPIVOT")
SCRIPT = "scripts are not carried out: a project is a set of statements, and what they read orders them"
ROWS = "tables here are made by queries, and each version is kept: write the change as CREATE OR REPLACE TABLE ... AS"
INSERTED = (
    "what is typed may add what ML.PREDICT gives: INSERT INTO name SELECT ... FROM ML.PREDICT(...); all other " + ROWS
)
IN_FILES = (
    "a project's statements each make one thing, however often they run, and an INSERT adds rows each time: type it "
    "(`tidemill query`), or write CREATE OR REPLACE TABLE ... AS"
)
"""Why a project's file cannot hold an INSERT."""
ADMIN = "who may do what is not said in SQL here"
REFUSED: dict[str, str] = {
    "ALTER MODEL": "a model's options are in its CREATE MODEL: change them there and run again",
    "ALTER": "change the CREATE statement and run again: the old version stays readable",
    "EXPORT MODEL": "each version's ONNX file is kept under .tidemill/artifacts; EXPORT MODEL is not built yet",
    "EXPORT DATA": "use `tidemill sql --format parquet` or `--format csv` to write rows to a file",
    "INSERT": INSERTED,
    "UPDATE": ROWS,
    "DELETE": ROWS,
    "MERGE": ROWS,
    "TRUNCATE": ROWS,
    "COPY": "read files with LOAD DATA or FROM 'file.csv', write them with `tidemill sql --format`",
    "DECLARE": SCRIPT,
    "SET": SCRIPT,
    "BEGIN": SCRIPT,
    "IF": SCRIPT,
    "WHILE": SCRIPT,
    "LOOP": SCRIPT,
    "REPEAT": SCRIPT,
    "FOR": SCRIPT,
    "CASE": SCRIPT,
    "CALL": SCRIPT,
    "EXECUTE": SCRIPT,
    "RAISE": SCRIPT,
    "RETURN": SCRIPT,
    "END": SCRIPT,
    "COMMIT": "each table's version is published in a transaction of its own",
    "ROLLBACK": "each table's version is published in a transaction of its own",
    "START": "each table's version is published in a transaction of its own",
    "GRANT": ADMIN,
    "REVOKE": ADMIN,
    "ATTACH": "connections are said in tidemill.toml",
    "DETACH": "connections are said in tidemill.toml",
    "USE": "name the schema in front of the table: schema.table",
    "INSTALL": "the engine's extensions come with Tidemill",
    "LOAD": "the engine's extensions come with Tidemill; to read files write LOAD DATA OVERWRITE name FROM FILES (...)",
    "PRAGMA": "engine settings are said in tidemill.toml",
    "RESET": "engine settings are said in tidemill.toml",
    "COMMENT": "write OPTIONS (description = '...') in the CREATE statement",
    "UNDROP": "past versions stay readable: SELECT ... FROM name AT (VERSION => n)",
    "ANALYZE": "statistics are kept with each version",
    "VACUUM": "old files are swept by `tidemill verify`",
    "CHECKPOINT": "each version is on disk when it becomes visible",
}
REFUSED_CREATE: dict[str, str] = {
    "TEST": "tests stand in files of the project's tests folder, and `tidemill test` runs them",
    "FUNCTION": "functions of your own are not built yet: write the expression in the query, or in a view",
    "AGGREGATE": "functions of your own are not built yet: write the expression in the query, or in a view",
    "MACRO": "functions of your own are not built yet: write the expression in the query, or in a view",
    "PROCEDURE": SCRIPT,
    "SCHEMA": "schemas are made when a table needs them",
    "DATABASE": "a project has one lake",
    "INDEX": "tables are columnar files; they have no indexes",
    "SEARCH": "search indexes are not built yet",
    "VECTOR": "vector indexes are not built yet",
    "EXTERNAL": "write CREATE VIEW name AS SELECT * FROM 'file.parquet', or LOAD DATA",
    "SNAPSHOT": "each version is kept: SELECT ... FROM name AT (VERSION => n)",
    "TEMP": "a temporary table would end with the statement: use WITH, CREATE VIEW or CREATE TABLE",
    "TEMPORARY": "a temporary table would end with the statement: use WITH, CREATE VIEW or CREATE TABLE",
    "MATERIALIZED": "write CREATE TABLE: it is rebuilt when what it reads changed",
    "ROW": ADMIN,
    "SEQUENCE": "use ROW_NUMBER() OVER (ORDER BY ...)",
    "TYPE": "types of your own are not built yet",
    "SECRET": "connections are said in tidemill.toml",
}
ADJECTIVES = ("TEMP", "TEMPORARY", "MATERIALIZED", "EXTERNAL", "SNAPSHOT", "VECTOR", "SEARCH", "AGGREGATE", "ROW")
KNOWN_WORDS = ("SELECT", "WITH", "CREATE", "DROP", "LOAD DATA", "ASSERT", *REFUSED)


def read_statement(p: Any, text: Text, source: Source) -> Statement:
    """One statement from the parser's tokens."""
    first = p._curr
    word = first.text.upper().split()[0] if first.text.strip() else ""
    following = p._next.text.upper() if p._next else ""
    if first.token_type in (TokenType.IDENTIFIER, *STRINGS):
        raise placed(p, "a statement begins with a word such as SELECT or CREATE")
    if word in QUERY_STARTS or (word in LOOKING and text.dialect == "duckdb"):
        query = _read_opaque(p, text) if word in OPAQUE else read_query(p, text, any_tree=word in LOOKING)
        read_end(p)
        return Select(source=source, query=query)
    if word == "CREATE":
        return _read_create(p, text, source)
    if word == "DROP":
        return _read_drop(p, source)
    if word == "ASSERT":
        return _read_assert(p, text, source)
    if word == "LOAD" and following == "DATA":
        return _read_load(p, text, source)
    if word == "INSERT":
        return _read_insert(p, text, source)
    for name in (f"{word} {following}", word):
        if name in REFUSED:
            return _refuse(p, source, name, REFUSED[name])
    hint = did_you_mean(word, KNOWN_WORDS)
    hint = "comments begin with --" if word == "#" else hint if hint.startswith("did") else ""
    raise placed(p, f"'{first.text[:40]}' begins no statement", first, hint=hint)


def _read_opaque(p: Any, text: Text) -> Query:
    """The engine's own statement, to its end."""
    first = p._curr
    while p._curr:
        p._advance()
    return make_query(exp.Command(this=first.text.upper()), text, first.start, p._prev.end + 1)


def _refuse(p: Any, source: Source, what: str, reason: str) -> Other:
    while p._curr:
        p._advance()
    return Other(source=source, what=what, reason=reason)


def refuse_block(source: Source, word: str) -> Other:
    """A scripting block, which holds statements of its own."""
    return Other(source=source, what="CREATE PROCEDURE" if word.upper() == "CREATE" else word.upper(), reason=SCRIPT)


def _read_create(p: Any, text: Text, source: Source) -> Statement:
    p._advance()
    replace = bool(p._match_text_seq("OR", "REPLACE"))
    token = p._curr
    word = token.text.upper() if token else ""
    if word == "MODEL":
        p._advance()
        return read_create_model(p, text, source, replace=replace)
    if word == "TABLE" and p._next and p._next.text.upper() == "FUNCTION":
        return _refuse(p, source, "CREATE TABLE FUNCTION", REFUSED_CREATE["FUNCTION"])
    if word == "TABLE":
        p._advance()
        return read_create_table(p, text, source, replace=replace)
    if word == "VIEW":
        p._advance()
        return read_create_view(p, text, source)
    if word in REFUSED_CREATE:
        following = p._next.text.upper() if p._next else ""
        kind = following if word in ("TEMP", "TEMPORARY") and following in REFUSED_CREATE else word
        shown = f"{word} {following}" if word in ADJECTIVES else word
        return _refuse(p, source, f"CREATE {shown}", REFUSED_CREATE[kind])
    hint = did_you_mean(word, ("TABLE", "VIEW", "MODEL"))
    raise placed(p, "expected TABLE, VIEW or MODEL after CREATE", hint=hint if hint.startswith("did") else "")


def _read_drop(p: Any, source: Source) -> Statement:
    p._advance()
    kind = p._curr.text.upper() if p._curr else ""
    if kind not in ("TABLE", "VIEW", "MODEL"):
        return _refuse(p, source, f"DROP {kind}".strip(), "only tables, views and models are dropped")
    p._advance()
    if_exists = read_exists(p, negated=False)
    name = read_path(p, f"the {kind.lower()}")
    p._match_texts(("CASCADE", "RESTRICT"))
    read_end(p)
    if kind == "MODEL":
        return DropModel(source=source, name=name, if_exists=if_exists)
    return DropTable(source=source, name=name, kind=kind.lower(), if_exists=if_exists)


def _read_assert(p: Any, text: Text, source: Source) -> Assert:
    p._advance()
    first = p._curr
    condition = p._parse_assignment() if first else None
    if condition is None:
        raise placed(p, "expected a condition after ASSERT")
    stop = p._prev.end + 1
    message = ""
    if p._match_text_seq("AS"):
        token = p._curr
        if not token or token.token_type not in (*STRINGS, TokenType.IDENTIFIER):
            raise placed(p, "expected a message in quotes after AS")
        message = token.text
        p._advance()
    # Only behind the message: after a condition NOT would begin another part of it (a NOT IN ...).
    enforced = not (message and p._match_text_seq("NOT", "ENFORCED"))
    read_end(p, hint="ASSERT condition AS 'message' [NOT ENFORCED]")
    written = text.text[first.start : stop]
    query = make_query(exp.select(exp.alias_(condition, "holds", copy=False), copy=False), text, first.start, stop)
    verbatim = Source(
        file=text.file,
        line=query.source.line,
        column=query.source.column,
        text=f"SELECT {written} AS holds",
        dialect=text.dialect,
    )
    query.tree.meta.pop("span")
    asked = type(query)(source=verbatim, tree=query.tree)
    return Assert(source=source, query=asked, message=message or written, enforced=enforced)


def _read_insert(p: Any, text: Text, source: Source) -> Statement:
    """INSERT [INTO] [TABLE] name [(columns)] query; without ML.PREDICT in the query it is refused."""
    p._advance()
    if p._curr and p._curr.text.upper() in ("OVERWRITE", "OR", "REPLACE", "IGNORE"):
        return _refuse(p, source, "INSERT", INSERTED)
    p._match_text_seq("INTO")
    if p._curr and p._curr.text.upper() == "TABLE":
        p._advance()
    name, project = made_path_of(p._parse_table_parts(schema=True), p)
    columns: tuple[str, ...] = ()
    if p._curr and p._curr.text == "(" and not (p._next and p._next.text.upper() in QUERY_STARTS):
        listed = read_column_list(p, text).columns
        columns = tuple(column.name for column in listed)
    if not p._curr or p._curr.text.upper() not in QUERY_STARTS or p._curr.text.upper() == "VALUES":
        return _refuse(p, source, "INSERT", INSERTED)
    query = read_query(p, text)
    read_end(p)
    if all(call.function.upper() != "ML.PREDICT" for call in query.tree.find_all(MLCall)):
        return Other(source=source, what="INSERT", reason=INSERTED)
    return InsertInto(source=source, name=name, query=query, into=columns, project=project)


def _read_load(p: Any, text: Text, source: Source) -> Statement:
    first = p._curr
    p._advance(2)
    word = p._curr.text.upper() if p._curr else ""
    if word not in ("OVERWRITE", "INTO"):
        raise placed(p, "expected OVERWRITE or INTO after LOAD DATA")
    p._advance()
    if p._curr and p._curr.text.upper() in ("TEMP", "TEMPORARY"):
        return _refuse(p, source, "LOAD DATA INTO TEMP TABLE", REFUSED_CREATE["TEMP"])
    if p._curr and p._curr.text.upper() == "TABLE":
        p._advance()
    name, project = made_path_of(p._parse_table_parts(schema=True), p)
    columns = read_column_list(p, text) if p._curr and p._curr.text == "(" else ColumnList()
    skip_to(p, "FROM", "OPTIONS")
    if p._match_text_seq("OPTIONS"):
        _require_no_limit(p, text)
    skip_to(p, "FROM")
    if not p._match_text_seq("FROM", "FILES"):
        raise placed(p, "expected FROM FILES (format = ..., uris = [...])")
    options = read_options(p, text)
    skip_to(p, "")
    given = {option.name.lower(): option for option in options}
    uris = _uris(p, given.get("uris"), first)
    kind = given["format"].value if "format" in given else ""
    return LoadData(
        source=source,
        name=name,
        overwrite=word == "OVERWRITE",
        format=str(kind).upper() or _format_of(uris),
        uris=uris,
        columns=tuple(columns.columns),
        options=tuple(option for option in options if option.name.lower() not in ("format", "uris")),
        project=project,
    )


def _require_no_limit(p: Any, text: Text) -> None:
    """Refuse the option of CREATE TABLE that LOAD DATA has under another name and at another place."""
    word = p._prev
    for option in read_options(p, text, literal=False):
        if option.name.lower() in ("max_bad_rows", "max_bad_records"):
            raise placed(
                p,
                f"LOAD DATA does not take {option.name} in OPTIONS",
                word,
                hint=f"say it of the files: FROM FILES (..., max_bad_records = {option.value})",
            )


def _uris(p: Any, option: OptionValue | None, first: Any) -> tuple[str, ...]:
    value = option.value if option else None
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(part, str) for part in values):
        raise placed(p, "LOAD DATA needs uris: an array of file names", first, hint="uris = ['data/*.csv']")
    return tuple(values)


def _format_of(uris: tuple[str, ...]) -> str:
    """The format a file name says, upper-case; CSV when it says none."""
    ending = uris[0].lower().removesuffix(".gz").removesuffix(".zst").rpartition(".")[2]
    return {"parquet": "PARQUET", "json": "JSON", "ndjson": "JSON", "jsonl": "JSON"}.get(ending, "CSV")
