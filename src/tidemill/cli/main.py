"""The door in the terminal: one table of commands, and the boundary where every error gets its exit status."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn, cast

import click

from tidemill.cli.command_line import make_command
from tidemill.core.errors import InternalError, TidemillError
from tidemill.core.left_out import leave_out_pandas

INTERRUPTED = 130  # 128 + SIGINT, as shells have it

COMMANDS: dict[str, str] = {
    "init": "Make a new project, empty or from a file and the column to predict.",
    "plan": "Say what a run would do, and why.",
    "run": "Build what changed: tables, checks and models.",
    "check": "Check what is in the lake against what its statements promise.",
    "lint": "Read statements without running them, and say what is supported.",
    "test": "Test statements on rows of your own, without the lake.",
    "sql": "Carry out SQL from a file or a text, or in a shell.",
    "query": "Carry out one SQL text: short for sql -e.",
    "profile": "Say what a table, a file or a query holds, and what is worth a warning.",
    "drift": "Say which columns moved from a reference, how far, and whether it is chance.",
    "estimate": "Say what quality is to be expected of a model on rows without labels.",
    "predict": "Score a table or a file with a model, to a table or a file.",
    "lineage": "Say which column came from which, by the SQL.",
    "history": "List the versions of a table.",
    "verify": "Check every data file and artifact against its digest.",
    "models": "List the models and how they were judged.",
    "backtest": "Say how a model would have done, and how often training again pays.",
    "deploy": "Let a version of a model through its gates, and begin its rollout.",
    "status": "Show the whole system on a page, or one deployment.",
    "promote": "Make the version on trial champion at once.",
    "rollback": "Take a version back, and let the one before it answer.",
    "pause": "Let a rollout stand still, or let the fallback answer.",
    "resume": "Take back what pause did.",
    "drill": "Rehearse a rollback on a copy, with a real server and real requests.",
    "retrain": "Ask for a new version of a deployment's model, or carry out what was asked for.",
    "simulate": "Replay real rows through a copy of a deployment, with labels that come later.",
    "alerts": "List alerts, show what one is about, and say what you think of it.",
    "replay": "Compute a logged prediction again, and say whether it is the same.",
    "explain": "Say what each input added to a logged prediction.",
    "audit": "Show who changed what, or verify the trail.",
    "token": "List, make or revoke tokens of the server.",
    "serve": "Answer over HTTP with what is deployed.",
    "up": "Run server, collector, monitor and scheduler together.",
    "schedule": "Do what is due by the clock, once or for as long as this runs.",
    "export": "Ship a deployment as a container image or manifests; write a project's CI.",
    "maintain": "Merge small files, forget old snapshots, free what nothing names.",
    "erase": "Take a person's rows out of everything that is kept.",
    "doctor": "Check this machine and this project.",
    "label": "Take in labels from a table, a file or a query.",
    "collect": "Carry the prediction log into the lake.",
    "monitor": "Measure what deployments answered, window by window, and judge it.",
}
"""Each command is the function of its own name in `tidemill.cli.<name>_command`, imported when it is called."""


class Commands(click.Group):
    """The commands of the table; the module of one is imported only when it is needed."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """In the order of the table, which is the order of work."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Import the command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"tidemill.cli.{cmd_name}_command")
        return make_command(getattr(module, cmd_name), name=cmd_name, about=COMMANDS[cmd_name])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Look the command up, or name the nearest."""
        # Only the keys are looked at, and only for the suggestion.
        self.commands = cast("Any", dict.fromkeys(get_close_matches(args[0], COMMANDS, n=1)))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write the table without importing what it names."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def command_line() -> click.Group:
    """Make the whole command line, as one object."""
    version = click.Option(
        ["--version"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_show_version,
        help="Print the version.",
    )
    about = "The machine-learning lifecycle on a database, in SQL."
    return Commands("tidemill", help=about, params=[version], no_args_is_help=True)


def _show_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"tidemill {version('tidemill')}")
        ctx.exit()


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command, in a process of its own, and leave with its exit status."""
    leave_out_pandas()
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(run_command(given))


def run_command(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit status. No exception leaves it.

    Every error a user can meet is printed as what, where and what to do. Anything else is a bug of ours: its traceback
    goes to a file, and the message says where.
    """
    try:
        status = command_line().main(args=list(arguments), prog_name="tidemill", standalone_mode=False)
        sys.stdout.flush()
    except TidemillError as error:
        return _report(error, arguments)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        print("interrupted: what was published stays, the rest is done by the next run", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has left. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - the boundary of a command
        return _report(_as_bug(error), arguments)
    return status if isinstance(status, int) else 0


def _report(error: TidemillError, arguments: Sequence[str]) -> int:
    if "--json" in arguments:
        print(json.dumps({"error": error.as_json()}, default=str), file=sys.stderr)
    else:
        print(_coloured(error.render()), file=sys.stderr)
    return error.exit_status


def _coloured(text: str) -> str:
    if not sys.stderr.isatty() or os.environ.get("NO_COLOR"):
        return text
    head, *rest = text.split("\n")
    code, _, message = head.partition(": ")
    return "\n".join([f"\x1b[1;31m{code}\x1b[0m: {message}", *rest])


def _as_bug(error: Exception) -> InternalError:
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="tidemill-error-", suffix=".txt", delete=False) as file:
        file.write(traceback.format_exc())
    last = traceback.extract_tb(error.__traceback__)[-1]
    return InternalError(
        f"{type(error).__name__}: {error} (in {Path(last.filename).name}, line {last.lineno})",
        hint=f"this is a bug in Tidemill: please report it with the command and {file.name}",
    )


if __name__ == "__main__":
    main()
