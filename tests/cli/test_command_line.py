from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import click
import pytest

from tidemill.cli.command_line import make_command
from tidemill.cli.parameters import argument, option


class Shape(StrEnum):
    round = "round"
    square = "square"


HEARD: dict[str, Any] = {}


def told(
    name: Annotated[str, argument(about="A name.")],
    files: Annotated[list[Path] | None, argument(about="Files.")] = None,
    limit: Annotated[int, option("--limit", "-l", about="Rows.", least=0, most=9)] = 5,
    share: Annotated[float | None, option("--share", about="A share.", least=0.01)] = None,
    shape: Annotated[Shape, option("--shape", about="A shape.")] = Shape.round,
    pair: Annotated[tuple[str, str] | None, option("--pair", about="Two.")] = None,
    hosts: Annotated[list[str] | None, option("--host", about="Hosts.", metavar="NAME")] = None,
    deep: Annotated[bool, option("--deep/--flat", about="How deep.")] = True,
    folder: Annotated[Path, option("--folder", about="Where.", envvar="TOLD_FOLDER")] = Path(),
) -> None:
    HEARD.update(locals())


def hear(*words: str) -> dict[str, Any]:
    HEARD.clear()
    make_command(told, name="told", about="Tell.").main(list(words), prog_name="told", standalone_mode=False)
    return dict(HEARD)


def test_what_is_not_said_has_the_default_of_the_function() -> None:
    assert hear("a") == {
        "name": "a", "files": None, "limit": 5, "share": None, "shape": Shape.round, "pair": None, "hosts": None,
        "deep": True, "folder": Path(),
    }  # fmt: skip


def test_values_have_the_types_of_the_annotations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLD_FOLDER", "/there")
    heard = hear("a", "b", "c", "-l", "7", "--share", "0.5", "--shape", "square", "--pair", "x", "y", "--host", "h",
                 "--host", "i", "--flat")  # fmt: skip
    assert heard == {
        "name": "a", "files": [Path("b"), Path("c")], "limit": 7, "share": 0.5, "shape": Shape.square,
        "pair": ("x", "y"), "hosts": ["h", "i"], "deep": False, "folder": Path("/there"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-l", "x"], "Input should be a valid integer, unable to parse string as an integer"),
        (["-l", "1.5"], "Input should be a valid integer, unable to parse string as an integer"),
        (["-l", "-1"], "Input should be greater than or equal to 0"),
        (["-l", "10"], "Input should be less than or equal to 9"),
        (["--share", "much"], "Input should be a valid number, unable to parse string as a number"),
        (["--share", "nan"], "Input should be greater than or equal to 0.01"),
        (["--shape", "Round"], "'Round' is not one of 'round', 'square'"),
    ],
)
def test_a_value_of_another_kind_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(click.BadParameter) as raised:
        hear("a", *words)
    assert said in raised.value.format_message()
    assert words[0] in raised.value.format_message()


def test_an_argument_without_a_default_is_required() -> None:
    with pytest.raises(click.MissingParameter) as raised:
        hear()
    assert raised.value.format_message() == "Missing argument 'name'."


def test_the_help_lists_arguments_options_bounds_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    hear("--help")
    assert (
        capsys.readouterr().out
        == """\
Usage: told [OPTIONS] {name} [files]...

  Tell.

Arguments:
  name <str>             A name.  [required]
  files... <list[Path]>  Files.

Options:
  -l, --limit <int range>  Rows.  [default: 5; 0<=x<=9]
  --share <float range>    A share.  [x>=0.01]
  --shape <round|square>   A shape.  [default: round]
  --pair <str,str>...      Two.
  --host NAME              Hosts.
  --deep / --flat          How deep.  [default: deep]
  --folder <path>          Where.  [env var: TOLD_FOLDER; default: .]
  --help                   Show this message and exit.
"""
    )
