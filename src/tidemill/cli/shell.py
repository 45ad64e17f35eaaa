"""The interactive shell: statements that end in a semicolon, completion, history, and a few dot commands."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidemill.cli.options import entered
from tidemill.cli.output import Format, write_results
from tidemill.cli.statements import each_result
from tidemill.cli.words import duration
from tidemill.core.errors import SettingsError, TidemillError
from tidemill.core.names import did_you_mean
from tidemill.project import Project
from tidemill.sql.functions import FUNCTIONS

if TYPE_CHECKING:
    from prompt_toolkit.completion import Completer

HELP = """\
Statements end in a semicolon and may take several lines. Tab completes, up and down walk the history.
  .tables            tables and their columns
  .models            models
  .format F          table (default), vertical, csv or json
  .read FILE         carry out a file
  .help              this text; so does help
  .quit              leave (so does Ctrl-D)"""

KEYWORDS = (
    "ALTER AND AS ASC AT BETWEEN BY CASE CAST CHECK CREATE CROSS DESC DISTINCT DROP ELSE END EXCEPT EXCLUDE EXISTS"
    " FALSE FROM FULL GROUP HAVING IN INNER INTERSECT INTERVAL IS JOIN LEFT LIKE LIMIT MODEL NOT NULL OFFSET ON"
    " OPTIONS OR ORDER OVER PARTITION PRIMARY KEY QUALIFY REPLACE RIGHT SELECT STRUCT TABLE THEN TRANSFORM TRUE UNION"
    " UNIQUE UNNEST USING VERSION VIEW WHEN WHERE WITH"
)


@dataclass(slots=True)
class Words:
    """What can be completed: keywords, functions, and the names of the project, read anew after each statement."""

    tables: dict[str, list[str]]
    models: list[str]

    def all(self) -> list[str]:
        """Every word, names first."""
        columns = {column for names in self.tables.values() for column in names}
        return [*self.tables, *self.models, *sorted(columns), *FUNCTIONS, *KEYWORDS.split()]


def read_words(project: Project) -> Words:
    """Ask the project for its names."""
    tables = {
        name: [column.name for column in project.warehouse.columns(name)] for name in sorted(project.warehouse.tables())
    }
    return Words(tables=tables, models=[model.name for model in project.models()])


def suggest(text: str, words: Words) -> tuple[list[str], int]:
    """Words that may follow a text, and how many characters of it they replace.

    After MODEL only models come, after FROM or JOIN tables and table functions first.
    """
    typed = re.search(r"[\w.]*$", text)
    prefix = typed[0] if typed else ""
    before = text[: len(text) - len(prefix)].rstrip().upper()
    pool: Sequence[str] = words.all()
    if before.endswith("MODEL"):
        pool = words.models
    elif re.search(r"\b(FROM|JOIN|TABLE|INTO)$", before):
        pool = [*words.tables, *(name for name, row in FUNCTIONS.items() if row.kind == "table"), "("]
    found = [word for word in dict.fromkeys(pool) if word.upper().startswith(prefix.upper())]
    return found, len(prefix)


def run_shell(folder: Path, *, dialect: str = "") -> None:
    """Read, carry out and print until the end of input."""
    with entered(folder) as project:
        shell = Shell(project, dialect=dialect)
        print(f"Tidemill, project {project.settings.name}. Statements end in ;   .help says more, .quit leaves.")
        prompt = _make_prompt(project, shell)
        while True:
            try:
                text = prompt().strip()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            try:
                if not shell.answer(text):
                    return
            except KeyboardInterrupt:
                print("interrupted", file=sys.stderr)


class Shell:
    """Answers one entry after the other."""

    def __init__(self, project: Project, *, dialect: str = "") -> None:
        self._project = project
        self._dialect = dialect
        self._format = Format.table
        self.words = Words(tables={}, models=[])
        self.refresh()

    def refresh(self) -> None:
        """Read the project's names; what cannot be read now is not completed."""
        try:
            self.words = read_words(self._project)
        except TidemillError as error:
            print(error.render(), file=sys.stderr)

    def answer(self, text: str) -> bool:
        """Carry one entry out; False when it was a farewell. Errors are printed, and the shell goes on."""
        bare = text.rstrip("; ").strip()
        if bare.lower() in ("exit", "quit", ".quit", ".exit"):
            return False
        try:
            if bare.startswith(".") or bare.lower() == "help":
                self.command(bare)
            elif bare:
                self._statements(text)
        except TidemillError as error:
            print(error.render(), file=sys.stderr)
        except OSError as error:
            print(f"error: {error}", file=sys.stderr)
        return True

    def _statements(self, text: str) -> None:
        began = time.monotonic()
        write_results(each_result(self._project, text, dialect=self._dialect), self._format)
        print(f"({duration(time.monotonic() - began)})", file=sys.stderr)
        if re.search(r"\b(create|drop|load|alter)\b", text, re.IGNORECASE):
            self.refresh()

    def command(self, text: str) -> None:
        """Carry a dot command out."""
        name, _, argument = text.partition(" ")
        argument = argument.strip()
        if name == ".tables":
            for table, columns in self.words.tables.items():
                print(f"{table}({', '.join(columns)})")
            if not self.words.tables:
                print("no tables: `tidemill run` builds those of the project's files")
        elif name == ".models":
            print("\n".join(self.words.models) or "no models")
        elif name == ".format":
            self._set_format(argument)
        elif name == ".read":
            self._statements(Path(argument).read_text(encoding="utf-8"))
        elif name in (".help", "help"):
            print(HELP)
        else:
            known = [".tables", ".models", ".format", ".read", ".help", ".quit"]
            raise SettingsError(f"no command {name}", hint=did_you_mean(name, known))

    def _set_format(self, name: str) -> None:
        known = [one.value for one in Format if one is not Format.parquet]
        if name in known:
            self._format = Format(name)
        else:
            raise SettingsError(f"no format {name}", hint=did_you_mean(name, known))


def _make_prompt(project: Project, shell: Shell) -> Any:
    """A function that reads one entry: Enter ends it after a semicolon or a dot command, else begins a new line."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.enums import EditingMode
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.history import FileHistory
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.lexers import PygmentsLexer
    from pygments.lexers.sql import SqlLexer  # type: ignore[import-untyped]

    bindings = KeyBindings()

    def is_whole() -> bool:
        return is_entry(session.default_buffer.text)

    @bindings.add("enter", filter=Condition(is_whole))
    def _(event: Any) -> None:
        event.current_buffer.validate_and_handle()

    project.keep.mkdir(exist_ok=True)
    session: PromptSession[str] = PromptSession(
        history=FileHistory(str(project.keep / "shell_history")),
        completer=_make_completer(shell),
        complete_while_typing=False,
        lexer=PygmentsLexer(SqlLexer),
        multiline=True,
        key_bindings=bindings,
        editing_mode=EditingMode.EMACS,
        prompt_continuation=lambda width, _, __: ".".rjust(width - 1) + " ",
    )
    return lambda: session.prompt(f"{project.settings.name}> ")


def is_entry(text: str) -> bool:
    """Whether what was typed so far can be carried out: it ends in a semicolon, or is a command, or nothing."""
    bare = text.strip()
    return not bare or bare.endswith(";") or bare.startswith(".") or bare.lower() in ("exit", "quit", "help")


def _make_completer(shell: Shell) -> Completer:
    from prompt_toolkit.completion import Completer, Completion

    class ProjectCompleter(Completer):
        def get_completions(self, document: Any, complete_event: Any) -> Iterable[Completion]:  # noqa: ARG002
            found, typed = suggest(document.text_before_cursor, shell.words)
            for word in found:
                yield Completion(word, start_position=-typed)

    return ProjectCompleter()
