"""tidemill replay: one prediction again, from what the log holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from click.exceptions import Exit

from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.parameters import argument, option
from tidemill.runner.result import show, text_table

if TYPE_CHECKING:
    from tidemill.runner.replay import Replay


def replay(
    prediction: Annotated[str, argument(about="The prediction's id, as the server answered it.")],
    retrain: Annotated[
        bool, option("--retrain", about="Train the version again from its recorded snapshot, and compare digests.")
    ] = False,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Replay, and say whether the answer is the same; leave with status 1 when it is not."""
    with entered(project) as opened:
        found = opened.replay(prediction, retrain=retrain)
    print(json.dumps(found.as_json(), indent=2, ensure_ascii=False, default=str) if as_json else describe(found))
    if not found.equal or found.same_training is False:
        raise Exit(1)


def describe(found: Replay) -> str:
    """The replay as a person reads it."""
    version, logged = found.version, found.logged
    by = f"{version.name} version {version.version} ({version.digest[:12]})"
    lines = [
        f"prediction {logged['id']}",
        f"  given {logged['at']:%Y-%m-%d %H:%M:%S} UTC by {by}, the {logged['route']} of {logged['deployment']}",
        f"  trained {version.created_at:%Y-%m-%d %H:%M} UTC" + _lineage(version.lineage),
        f"  libraries {', '.join(f'{name} {number}' for name, number in found.libraries.items())}",
        "",
        text_table(["input", "value"], [(name, show(value)) for name, value in found.inputs.items()], widest=80),
        "",
        text_table(["", "prediction", "probabilities"], _answers(found), widest=120),
        "",
        _verdict(found),
    ]
    return "\n".join(lines)


def _lineage(lineage: dict[str, object]) -> str:
    snapshot = lineage.get("snapshot")
    who = lineage.get("who")
    return (f" by {who}" if who else "") + (f" from snapshot {snapshot} of the lake" if snapshot is not None else "")


def _answers(found: Replay) -> list[tuple[str, str, str]]:
    logged = found.logged["probabilities"]
    then = {} if logged is None else json.loads(logged)
    return [
        ("then", str(found.logged["prediction"]), _shares(then)),
        ("now", found.prediction, _shares(found.probabilities or {})),
    ]


def _shares(probabilities: object) -> str:
    assert isinstance(probabilities, dict)  # noqa: S101 - of classes
    return ", ".join(f"{name}: {value!r}" for name, value in probabilities.items())


def _verdict(found: Replay) -> str:
    text = "equal, to the last bit" if found.equal else f"NOT equal: the answers differ by {found.difference:.3g}"
    if found.retrained is None:
        return text
    if found.same_training:
        return f"{text}; trained again from its snapshot, it is the same version ({found.retrained[:12]})"
    return f"{text}; trained again from its snapshot, it is ANOTHER version ({found.retrained[:12]})"
