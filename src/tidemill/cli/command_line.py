"""Commands made from functions: each parameter of the function is an argument or an option, by its annotation.

Click reads the command line. What is ours is how a parameter is declared, and how values and ``--help`` are worded.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import click

from tidemill.cli.parameters import Declared

_NUMBERS = {int: ("integer", "an integer"), float: ("number", "a number")}


class Number(click.ParamType[Any, Any]):
    """A whole number, or any, within bounds."""

    def __init__(self, kind: type[int | float], least: float | None, most: float | None) -> None:
        self.kind, self.least, self.most = kind, least, most
        self.name = kind.__name__ if self.bounds is None else f"{kind.__name__} range"

    @property
    def bounds(self) -> str | None:
        """The bounds in words, if there are any."""
        if self.least is None and self.most is None:
            return None
        if self.most is None:
            return f"x>={self.least}"
        return f"x<={self.most}" if self.least is None else f"{self.least}<=x<={self.most}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the number."""
        try:
            number = self.kind(value)
        except ValueError:
            valid, parsed = _NUMBERS[self.kind]
            self.fail(f"Input should be a valid {valid}, unable to parse string as {parsed}", param, ctx)
        # Written so that NaN is out of any bounds.
        if self.least is not None and not number >= self.least:
            self.fail(f"Input should be greater than or equal to {self.least}", param, ctx)
        if self.most is not None and not number <= self.most:
            self.fail(f"Input should be less than or equal to {self.most}", param, ctx)
        return number


class Option(click.Option):
    """An option whose help names its bounds. ``kind`` is the type of one value, ``word`` what its help calls it."""

    kind: type
    word: str = ""

    def make_metavar(self, ctx: click.Context) -> str:  # noqa: ARG002
        """Show what stands for the value."""
        return self.metavar or self.word

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Give the default, the environment variable and the bounds."""
        extra = super().get_help_extra(ctx)
        if isinstance(self.type, Number) and self.type.bounds:
            extra["range"] = self.type.bounds
        return extra


class Argument(click.Argument):
    """An argument that goes by its own name. ``word`` is what its help calls its type."""

    word: str

    @property
    def _shown(self) -> str:
        return self.metavar or self.name

    def make_metavar(self, ctx: click.Context) -> str:  # noqa: ARG002
        """Show it in the line of usage: braces where it is required."""
        shown = f"{{{self._shown}}}" if self.required else f"[{self._shown}]"
        return shown if self.nargs == 1 else f"{shown}..."

    def get_error_hint(self, ctx: click.Context | None) -> str:  # noqa: ARG002
        """Name it in an error."""
        return f"'{self._shown}'"

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:  # noqa: ARG002
        """Give its row of the help."""
        name = self._shown if self.nargs == 1 or self.metavar else f"{self._shown}..."
        default = self.default.value if isinstance(self.default, StrEnum) else None
        extra = "required" if self.required else f"default: {default}" if default else ""
        return f"{name} {self.word}", f"{self.help}  [{extra}]" if extra else self.help or ""


class Command(click.Command):
    """A command whose help lists arguments before options."""

    def format_arguments(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the arguments."""
        rows = [item.get_help_record(ctx) for item in self.get_params(ctx) if isinstance(item, Argument)]
        if rows:
            with formatter.section("Arguments"):
                formatter.write_dl(rows)


def make_command(function: Callable[..., None], *, name: str, about: str) -> Command:
    """Make the command that calls a function."""
    hints = get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters.values()
    made = [_parameter(item.name, hints[item.name], item.default) for item in parameters]
    return Command(name, callback=function, help=about, params=made)


def _parameter(name: str, hint: Any, default: Any) -> click.Parameter:
    annotation, declared = get_args(hint)
    assert isinstance(declared, Declared)  # noqa: S101 - a parameter of a command is declared
    (kind,) = [one for one in get_args(annotation) if one is not type(None)] if _optional(annotation) else [annotation]
    shared: dict[str, Any] = {"help": declared.about, "metavar": declared.metavar or None}
    shared["required"] = default is inspect.Parameter.empty
    if not shared["required"] and get_origin(kind) is not list:
        shared["default"] = default
    if get_origin(kind) is list:
        shared["callback"] = lambda _ctx, _param, values: list(values) or None
    return _option(name, kind, declared, shared) if declared.names else _argument(name, kind, declared, shared)


def _argument(name: str, kind: Any, declared: Declared, shared: dict[str, Any]) -> Argument:
    rest = get_origin(kind) is list
    one = get_args(kind)[0] if rest else kind
    made = Argument([name], **shared, type=_type(one, declared), nargs=-1 if rest else 1)
    made.word = f"<list[{one.__name__}]>" if rest else f"<{_word(made.type)}>"
    return made


def _option(name: str, kind: Any, declared: Declared, shared: dict[str, Any]) -> Option:
    names = [*declared.names, name]
    if kind is bool:
        made = Option(names, **shared, is_flag=True, show_default=True)
        made.kind = bool
        return made
    several = get_origin(kind)
    types = tuple(_type(one, declared) for one in (get_args(kind) if several else (kind,)))
    made = Option(
        names,
        **shared,
        type=types if several is tuple else types[0],
        multiple=several is list,
        show_default=shared.get("default") not in ("", None),
        envvar=declared.envvar or None,
        show_envvar=bool(declared.envvar),
    )
    made.kind = kind
    made.word = f"<{','.join(map(_word, types))}>{'...' if several is tuple else ''}"
    return made


def _optional(annotation: Any) -> bool:
    return type(None) in get_args(annotation)


def _type(kind: Any, declared: Declared) -> click.ParamType[Any, Any]:
    if kind in _NUMBERS:
        return Number(kind, declared.least, declared.most)
    if issubclass(kind, StrEnum):
        return click.Choice(kind)
    return click.Path(path_type=Path) if kind is Path else click.STRING


def _word(type_: click.ParamType[Any, Any]) -> str:
    if isinstance(type_, click.Choice):
        return "|".join(one.value for one in type_.choices)
    return {"text": "str"}.get(type_.name, type_.name)
