"""What a command can be told: options and arguments, declared in the annotations of the command's function."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """An option, or an argument when it has no names.

    Parameters
    ----------
    about
        One sentence for ``--help``.
    metavar
        What stands for the value in ``--help``; '' for a word of its type.
    least, most
        Bounds of a number.
    envvar
        The environment variable that is read where the option is not given.
    """

    names: tuple[str, ...] = ()
    about: str
    metavar: str = ""
    least: float | None = None
    most: float | None = None
    envvar: str = ""


def option(
    *names: str,
    about: str,
    metavar: str = "",
    least: float | None = None,
    most: float | None = None,
    envvar: str = "",
) -> Declared:
    """Declare an option, as ``Annotated[int, option("--limit", about="...")]``; a bool is a flag, a list repeats."""
    return Declared(names=names, about=about, metavar=metavar, least=least, most=most, envvar=envvar)


def argument(*, about: str, metavar: str = "") -> Declared:
    """Declare what a command is told by place: required where the function has no default, a list takes the rest."""
    return Declared(about=about, metavar=metavar)
