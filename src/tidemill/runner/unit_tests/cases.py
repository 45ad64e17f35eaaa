"""The tests of a project: files of its tests folder, in SQL or TOML."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from tidemill.core.errors import NotFoundError, ParseError, Where
from tidemill.core.names import did_you_mean, name_key
from tidemill.sql.unit_test import UnitTest

TESTS_FOLDER = "tests"


def read_tests(root: Path, *, dialect: str) -> list[UnitTest]:
    """All tests, in the order of files and lines.

    Raises
    ------
    ParseError
        A file holds something that is not a test.
    """
    from tidemill.runner.unit_tests.toml_form import parse_toml_tests
    from tidemill.sql.parse_test import parse_tests

    found: list[UnitTest] = []
    for path in sorted((root / TESTS_FOLDER).rglob("*")):
        if path.suffix not in (".sql", ".toml") or not path.is_file():
            continue
        file = path.relative_to(root).as_posix()
        parse = parse_tests if path.suffix == ".sql" else parse_toml_tests
        found += parse(_text(path, file), file=file, dialect=dialect)
    return found


def choose_tests(tests: Sequence[UnitTest], wanted: Sequence[str]) -> list[UnitTest]:
    """The tests that a name or pattern means: a test, what it is a test of, or its file.

    Raises
    ------
    NotFoundError
        A name means none.
    """
    if not wanted:
        return list(tests)
    chosen: list[UnitTest] = []
    for pattern in wanted:
        found = [test for test in tests if any(fnmatchcase(name, name_key(pattern)) for name in _names(test))]
        if not found:
            known = [*(test.name for test in tests), *(test.of for test in tests)]
            raise NotFoundError(f"there is no test {pattern}", hint=did_you_mean(pattern, known), name=pattern)
        chosen += [test for test in found if test not in chosen]
    return chosen


def _names(test: UnitTest) -> tuple[str, ...]:
    return name_key(test.name), name_key(test.of), name_key(test.source.file), name_key(Path(test.source.file).name)


def _text(path: Path, file: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ParseError(
            f"{file} is not UTF-8 text", where=Where(file=file, line=line, column=1), hint="save the file as UTF-8"
        ) from None
