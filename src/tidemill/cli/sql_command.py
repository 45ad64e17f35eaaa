"""tidemill sql: carry out SQL from a text, a file, standard input or a shell."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from tidemill.cli.options import Dialect, ProjectFolder, entered
from tidemill.cli.output import Format, write_results
from tidemill.cli.parameters import argument, option
from tidemill.cli.statements import each_result
from tidemill.core.errors import ParseError, SettingsError, SourceError

ENDINGS = {"csv": Format.csv, "json": Format.json, "parquet": Format.parquet, "txt": Format.table}

FormatOption = Annotated[
    Format | None,
    option(
        "--format",
        "-f",
        about="How rows are written; else as the output's name ends (.csv, .json, .parquet, .txt), or as a table.",
    ),
]
OutputOption = Annotated[Path | None, option("--output", "-o", about="Write rows to a file.", metavar="FILE")]
LimitOption = Annotated[int, option("--limit", about="Rows of a printed table; 0 prints all.", least=0)]


def sql(
    file: Annotated[Path | None, argument(about="A file of statements; - reads standard input.")] = None,
    execute: Annotated[str | None, option("--execute", "-e", metavar="SQL", about="The statements themselves.")] = None,
    format_: FormatOption = None,
    output: OutputOption = None,
    limit: LimitOption = 100,
    dialect: Dialect = "",
    project: ProjectFolder = Path(),
) -> None:
    """Carry the statements out and print what each answers, in order.

    In csv, json and parquet only the last rows asked for are written, and standard error says how many results are left
    out.
    """
    if file is not None and execute is not None:
        raise SettingsError("give a file or -e, not both")
    if file is None and execute is None and sys.stdin.isatty():
        from tidemill.cli.shell import run_shell

        run_shell(project, dialect=dialect)
        return
    text = execute if execute is not None else read_statements(file)
    carry_out(text, format_=format_, output=output, limit=limit, dialect=dialect, project=project)


def carry_out(
    text: str, *, format_: Format | None, output: Path | None, limit: int, dialect: str, project: Path
) -> None:
    """Carry statements out and write what they answer; a text of dot commands is answered as the shell does."""
    output = output.absolute() if output else None
    format_ = format_ or format_of(output)
    with entered(project) as opened:
        commands = [line.strip().rstrip("; ") for line in text.splitlines() if line.strip()]
        if commands and all(line.startswith(".") or line.lower() == "help" for line in commands):
            from tidemill.cli.shell import Shell

            shell = Shell(opened, dialect=dialect)
            for line in commands:
                if line in (".quit", ".exit"):
                    return
                shell.command(line)
            return
        try:
            write_results(each_result(opened, text, dialect=dialect), format_, output=output, limit=limit)
        except ParseError as error:
            if not error.hint and any(line.startswith(".") for line in commands):
                error.hint = "dot commands such as .tables stand alone here; only the shell mixes them with statements"
            raise


def format_of(output: Path | None) -> Format:
    """The format that a file's name says; a table when the name has no ending."""
    ending = output.suffix.lower().removeprefix(".") if output else ""
    if output is None or not ending:
        return Format.table
    if ending not in ENDINGS:
        known = ", ".join(f".{name}" for name in ENDINGS)
        raise SettingsError(
            f"no format is known by the ending of {output.name}",
            hint=f"end it in {known}, or say --format",
        )
    return ENDINGS[ending]


def read_statements(file: Path | None) -> str:
    """The text of a file, or of standard input."""
    if file is None or str(file) == "-":
        return sys.stdin.read()
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{file} is not UTF-8 text (byte {error.start})", hint="save it as UTF-8") from None
    except OSError as error:
        raise SourceError(f"cannot read {file}: {error.strerror}", hint="check the path") from None
