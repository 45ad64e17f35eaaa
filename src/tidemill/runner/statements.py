"""The statements of a project's files: read once, summarised, and remembered by the files' digests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.digest import digest_bytes
from tidemill.core.errors import ParseError, TidemillError, Where
from tidemill.core.names import asset_key, name_key
from tidemill.sql.function_versions import VERSIONS
from tidemill.sql.statements import CreateTable, Query, Statement, Summary
from tidemill.warehouse.control.source_files import (
    SourceFile,
    forget_source_files,
    load_source_files,
    save_source_files,
)

if TYPE_CHECKING:
    from tidemill.planner.plan import Plan
    from tidemill.warehouse.control.database import Database

# Raised when the parser would find something else in the same text: what is remembered is read anew.
PARSER_VERSION = f"4.{sum(VERSIONS.values())}"
SQL_FOLDER = "sql"


class ProjectStatements:
    """Statements of a project's ``sql`` folder. A file whose bytes did not change is not parsed to be summarised.

    Parameters
    ----------
    without
        Keys of assets whose statements are left out: somebody else makes them.
    """

    def __init__(self, root: Path, dialect: str, db: Database, *, without: Collection[str] = ()) -> None:
        self._root = root
        self._dialect = dialect
        self._db = db
        self._without = frozenset(without)
        self._parsed: dict[str, list[Statement]] = {}

    def summaries(self) -> list[Summary]:
        """Every statement's summary, in the order of files and lines.

        Raises
        ------
        ParseError
            A file is not UTF-8, or holds something that is not a statement.
        """
        known = load_source_files(self._db)
        fresh: list[SourceFile] = []
        summaries: list[Summary] = []
        self._parsed = {}
        paths = self._paths()
        for path, data in ((path, (self._root / path).read_bytes()) for path in paths):
            digest = digest_bytes(data)
            file = known.get(path)
            if file is None or not file.fresh(digest, self._dialect, PARSER_VERSION):
                file = self._summarise(path, data, digest)
                fresh.append(file)
            summaries += file.summaries
        save_source_files(self._db, fresh)
        forget_source_files(self._db, known.keys() - set(paths))
        return [summary for summary in summaries if asset_key(summary.name) not in self._without]

    def statement(self, path: str, ordinal: int) -> Statement:
        """One statement, parsed."""
        if path not in self._parsed:
            self._parsed[path] = self._parse(path, (self._root / path).read_bytes())
        return self._parsed[path][ordinal]

    def _paths(self) -> list[str]:
        folder = self._root / SQL_FOLDER
        return sorted(path.relative_to(self._root).as_posix() for path in folder.rglob("*.sql"))

    def _parse(self, path: str, data: bytes) -> list[Statement]:
        from tidemill.sql.parse import parse_text

        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            raise ParseError(
                f"{path} is not UTF-8 text: byte {data[error.start]:#04x} cannot be read",
                where=Where(file=path, line=line, column=1),
                hint="save the file as UTF-8",
            ) from None
        return parse_text(text, file=path, dialect=self._dialect)

    def _summarise(self, path: str, data: bytes, digest: str) -> SourceFile:
        from tidemill.sql.summarise import summarise

        statements = self._parsed[path] = self._parse(path, data)
        return SourceFile(
            path=path,
            sha256=digest,
            dialect=self._dialect,
            parser_version=PARSER_VERSION,
            summaries=tuple(summarise(statement, ordinal) for ordinal, statement in enumerate(statements)),
        )


def require_right(plan: Plan, summaries: Sequence[Summary], statement: Callable[[str, int], Statement]) -> None:
    """Refuse a plan with a table whose options or checks are wrong: its step would only fail.

    Raises
    ------
    StatementError
        What is wrong with the first of them, and where.
    """
    wrong = {(summary.file, summary.ordinal) for summary in summaries if summary.contract.get("wrong")}
    for step in plan.steps:
        if (step.file, step.statement) in wrong and step.kind == "table":
            from tidemill.runner.placing import place
            from tidemill.sql.contract import contract_of

            found = statement(step.file, step.statement)
            assert isinstance(found, CreateTable)  # noqa: S101 - only these have contracts
            try:
                contract_of(found)
            except TidemillError as error:
                place(error, found.source)
                raise


class Views(Mapping[str, Query]):
    """The queries behind views, by key; each is parsed when it is first asked for."""

    def __init__(self, statements: ProjectStatements, summaries: list[Summary]) -> None:
        self._statements = statements
        self._views = {name_key(item.name): item for item in summaries if item.kind == "view"}

    def __getitem__(self, key: str) -> Query:
        from tidemill.sql.statements import CreateView

        summary = self._views[name_key(key)]
        statement = self._statements.statement(summary.file, summary.ordinal)
        if not isinstance(statement, CreateView):
            raise KeyError(key)
        return statement.query

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)
