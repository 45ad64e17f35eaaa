"""tidemill simulate: replay real rows through a copy of a deployment, with labels that come later."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from click.exceptions import Exit

from tidemill.cli.deployments import DeploymentName
from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.output import write_text
from tidemill.cli.parameters import option
from tidemill.cli.progress import share_line
from tidemill.cli.words import wants_colour
from tidemill.core.errors import SettingsError

FASTEST = ("", "max", "0")


def simulate(
    name: DeploymentName,
    replay: Annotated[
        str,
        option("--replay", metavar="TABLE|FILE|SELECT", about="The rows that are sent, in the order of their time."),
    ],
    time: Annotated[str, option("--time", metavar="COLUMN", about="The column that says when a row is asked about.")],
    label: Annotated[
        str,
        option("--label", metavar="COLUMN", about="The column with what came true; the model's label when left out."),
    ] = "",
    begin: Annotated[
        str, option("--from", metavar="TIME", about="Rows before are history to train on; else the first fifth is.")
    ] = "",
    end: Annotated[str, option("--until", metavar="TIME", about="Rows from then on are left out.")] = "",
    labels_after: Annotated[
        str,
        option(
            "--labels-after", metavar="SPAN", about="When labels come: '2 days', or '1 day..7 days' for evenly between."
        ),
    ] = "",
    labels_share: Annotated[
        float, option("--labels-share", least=0, most=1, about="The share of labels that ever come.")
    ] = 1.0,
    retrain: Annotated[
        str, option("--retrain", metavar="SPAN", about="Ask for a new version so often, of what is known by then.")
    ] = "",
    at_once: Annotated[
        bool, option("--at-once", about="New versions of --retrain take over at once, without gates and rollout.")
    ] = False,
    plant: Annotated[
        list[str] | None,
        option("--plant", metavar="TROUBLE", about="Plant a trouble, such as shift:COLUMN:0.3:FROM; may come again."),
    ] = None,
    speed: Annotated[
        str,
        option(
            "--speed", metavar="X", about="Seconds of the replay in one of yours: 1 is real time; else the fastest."
        ),
    ] = "max",
    fading: Annotated[
        float, option("--fading", least=0, most=1, about="What an answer weighs beside the next in fading scores.")
    ] = 0.999,
    seed: Annotated[int, option("--seed", least=0, about="Seed of delays and troubles.")] = 0,
    html: Annotated[Path | None, option("--html", metavar="FILE", about="Write one HTML page with charts.")] = None,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Rehearse on a copy: real server, log, monitor, alerts, training and gates, with the clock of the rows."""
    from tidemill.simulate.plants import read_plant
    from tidemill.simulate.request import Request, read_delay, read_every, read_moment
    from tidemill.simulate.simulate import simulate as rehearse

    request = Request(
        deployment=name,
        replay=replay,
        time=time,
        label=label,
        begin=read_moment(begin, "--from") if begin else None,
        end=read_moment(end, "--until") if end else None,
        delay=read_delay(labels_after),
        labels_share=labels_share,
        retrain_every=read_every(retrain, "--retrain") if retrain else None,
        at_once=at_once,
        speed=_speed(speed),
        seed=seed,
        fading=fading,
        plants=tuple(read_plant(one) for one in plant or ()),
    )
    html = html.absolute() if html else None
    with share_line(quiet=as_json) as tell, entered(project) as opened:
        found = rehearse(opened, request, tell)
    if html is not None:
        from tidemill.simulate.page import as_page

        write_text(as_page(found), html)
    if as_json:
        print(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        from tidemill.cli.simulate_text import describe

        print(describe(found, colour=wants_colour()))
        if html is not None:
            print(f"wrote {html}")
    if found.many_refused:
        raise Exit(1)


def _speed(text: str) -> float:
    if text in FASTEST:
        return 0.0
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if found <= 0:
        raise SettingsError(
            f"--speed is a number above 0, or max; got {text!r}", hint="1 is real time, 86400 a day a second"
        )
    return found
