"""Runs the fenced blocks of a documentation page, in order, in one folder, and compares what is shown.

- ``console``: lines after ``$`` are commands (``>`` continues one), the lines below are what they print. ``tidemill``
  runs in this process, everything else in bash; ``...`` stands for any text. What ends with ``&`` goes on beside the
  page until ``kill %1``, as in a terminal.
- ``sql`` and ``toml`` that begin with a comment naming a file (``-- sql/churn.sql``) are written to that file; other
  ``sql`` is carried out, and the ``text`` block right below it is what it prints.
- ``python``: run; with ``>>>`` as a doctest.

``python -m tests.docs.pages FILE...`` writes what blocks print today into the pages, for a person to review.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tidemill.cli.main import run_command

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_LINE = re.compile(r"^(?:--|#) ((?:[\w-]+/)*[\w.-]+\.(?:sql|toml))\n")
# What a terminal shows for a moment while a run is going on, and a pipe keeps.
PASSING = re.compile(
    r"^(?:(?:building|adding to|training|loading|defining|checking|dropping|reading|scoring) .*"
    r"|\d{4}-\d\d-\d\d \d\d:\d\d: row .*)\n",
    re.MULTILINE,
)
IN_SHELL = re.compile(r"[|<>;&*]|\$\(")
REDIRECTED = re.compile(r"(tidemill .*) > ([\w./-]+)", re.DOTALL)
VARIES = (
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?"), "TIME"),
    (re.compile(r"\b(?=\w*\d)[0-9a-hjkmnp-tv-z]{26}\b"), "RUN"),
    (re.compile(r"\b[0-9a-f]{32,64}\b"), "DIGEST"),
    (re.compile(r"\b\d+\.\d+ s\b"), "SECONDS"),
    (re.compile(r"-{3,}"), "---"),
)
TOLERANCE = 2e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block: its language, text, first line in the page, and where its text stands."""

    language: str
    text: str
    line: int
    start: int
    end: int


@dataclass(slots=True)
class Reader:
    """Somebody who follows a page: where they stand, what their last command said, and what did not agree."""

    page: Path
    folder: Path
    status: int = 0
    names: dict[str, object] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    edits: list[tuple[int, int, str]] = field(default_factory=list)
    beside: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def follow(self) -> None:
        """Run every block of the page; what still goes on beside it ends with it."""
        try:
            self._follow()
        finally:
            while self.beside:
                self._end_last()

    def _follow(self) -> None:
        text = self.page.read_text(encoding="utf-8")
        blocks = list(read_blocks(text))
        with in_folder(self.folder):
            for block, following in zip(blocks, [*blocks[1:], None][: len(blocks)], strict=True):
                below = following and text[block.end : following.start].split() == ["```", "```text"]
                self._run(block, following if below else None)

    def _run(self, block: Block, shown: Block | None) -> None:
        named = FILE_LINE.match(block.text)
        if named and block.language in {"sql", "toml"}:
            path = Path(named[1])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "sql":
            printed = self._tidemill(["sql", "-e", block.text])
            if shown:
                self._compare(block, "the statement", expected=shown.text, printed=printed)
                if not agrees(shown.text, printed):
                    self.edits.append((shown.start, shown.end, printed))
        elif block.language == "console":
            self._console(block)
        elif block.language == "python":
            self._python(block)

    def _console(self, block: Block) -> None:
        new: list[str] = []
        for command, expected in read_commands(block.text):
            printed = self._command(command)
            kept = expected if agrees(expected, printed) else printed
            new.append("$ " + command.replace("\n", "\n> ") + "\n" + kept)
            self._compare(block, command, expected=expected, printed=printed)
        self.edits.append((block.start, block.end, "".join(new)))

    def _command(self, command: str) -> str:
        if command == "echo $?":
            return f"{self.status}\n"
        if command.endswith(" &"):
            self.beside.append(subprocess.Popen(["bash", "-c", f"exec {command[:-2]}"]))
            return ""
        if command == "kill %1":
            self._end_last()
            return ""
        redirected = REDIRECTED.fullmatch(command)
        if redirected:
            Path(redirected[2]).write_text(self._tidemill(shlex.split(redirected[1])[1:]), encoding="utf-8")
            return ""
        words = shlex.split(command)
        if words[0] == "cd":
            os.chdir(words[1])
            return ""
        if words[0] == "tidemill" and not IN_SHELL.search(re.sub(r"'[^']*'|\"[^\"]*\"", "", command)):
            return self._tidemill(words[1:])
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
        self.status = done.returncode
        return done.stdout + done.stderr

    def _end_last(self) -> None:
        process = self.beside.pop()
        process.terminate()
        process.wait(timeout=60)

    def _tidemill(self, arguments: list[str]) -> str:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            self.status = run_command(arguments)
        return out.getvalue() + PASSING.sub("", err.getvalue())

    def _python(self, block: Block) -> None:
        if ">>>" not in block.text:
            exec(compile(block.text, f"{self.page.name}:{block.line}", "exec"), self.names)  # noqa: S102
            return
        test = doctest.DocTestParser().get_doctest(block.text, self.names, self.page.name, str(self.page), block.line)
        said = io.StringIO()
        runner = doctest.DocTestRunner(checker=Checker(), verbose=False, optionflags=doctest.REPORT_NDIFF)
        runner.run(test, out=said.write, clear_globs=False)
        self.names.update(test.globs)
        if said.getvalue():
            self.differences.append(said.getvalue())

    def _compare(self, block: Block, command: str, *, expected: str, printed: str) -> None:
        if not agrees(expected, printed):
            self.differences.append(
                f"{self.page.name}:{block.line}: {command}\n--- shown\n{expected}--- printed\n{printed}"
            )


class Checker(doctest.OutputChecker):
    """The outputs of doctests, compared as those of commands."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:  # noqa: ARG002
        return agrees(want, got)


def read_blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page."""
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Block(language=match[1], text=match[2], line=line, start=match.start(2), end=match.end(2))


def read_commands(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with what is shown below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        count = 1 + next((n for n, line in enumerate(lines[1:]) if not line.startswith("> ")), len(lines) - 1)
        command = "".join([lines[0], *(line[2:] for line in lines[1:count])]).rstrip("\n")
        yield command, "".join(lines[count:])


def agrees(expected: str, printed: str) -> bool:
    """Whether a text is what is shown: times, ids and white space may differ, numbers a little, ``...`` is anything."""
    want, got = _words(expected), _words(printed)
    if "..." not in want:
        return len(want) == len(got) and all(map(_same, want, got))
    parts: list[list[str]] = [[]]
    for word in want:
        if word == "...":
            parts.append([])
        else:
            parts[-1].append(word)
    if not _starts(got, parts[0]):
        return False
    at = len(parts[0])
    for part in parts[1:-1]:
        found = next((n for n in range(at, len(got) + 1) if _starts(got[n:], part)), None)
        if found is None:
            return False
        at = found + len(part)
    last = parts[-1]
    return len(got) - len(last) >= at and _starts(got[len(got) - len(last) :], last)


def _words(text: str) -> list[str]:
    for pattern, word in VARIES:
        text = pattern.sub(word, text)
    return re.findall(r"\.\.\.|[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?|\w+|[^\w\s]", text)


def _starts(words: list[str], part: list[str]) -> bool:
    return len(words) >= len(part) and all(map(_same, part, words))


def _same(want: str, got: str) -> bool:
    if want == got:
        return True
    if "." not in want + got:  # counts must agree
        return False
    try:
        left, right = float(want), float(got)
    except ValueError:
        return False
    return abs(left - right) <= TOLERANCE * max(1.0, abs(left), abs(right))


@contextlib.contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """Stand in a folder, in a terminal of 100 columns without colours; go back at the end."""
    before, environment = Path.cwd(), dict(os.environ)
    os.environ.update(COLUMNS="100", NO_COLOR="1", PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environment)


def follow(page: Path, folder: Path) -> Reader:
    """Follow a page in an empty folder that has the repository's examples, as a fresh clone has."""
    shutil.copytree(ROOT / "examples" / "data", folder / "examples" / "data")
    reader = Reader(page=page, folder=folder)
    reader.follow()
    return reader


def main(pages: list[str]) -> None:
    """Write what the blocks print into the pages."""
    for name in pages:
        page = Path(name).resolve()
        with tempfile.TemporaryDirectory() as folder:
            reader = follow(page, Path(folder))
        text = page.read_text(encoding="utf-8")
        for start, end, new in sorted(reader.edits, reverse=True):
            if text[start:end] != new and "TM-INTERNAL" not in new:
                text = text[:start] + new + text[end:]
        page.write_text(text, encoding="utf-8")
        sys.stdout.write("\n".join(reader.differences))


if __name__ == "__main__":
    main(sys.argv[1:])
