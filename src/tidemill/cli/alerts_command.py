"""tidemill alerts: what is wrong with deployments, since when, and what people say of it."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from click.exceptions import Exit

from tidemill.cli.alerts_text import alert_text, as_json_rows, list_text, plain_alert, sinks_text
from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.parameters import argument, option
from tidemill.core.clock import utc_now
from tidemill.core.durations import read_duration
from tidemill.core.errors import SettingsError
from tidemill.core.names import did_you_mean, name_key

if TYPE_CHECKING:
    from tidemill.monitoring.verdict import Key
    from tidemill.project import Project
    from tidemill.warehouse.control.alerts import AlertRow


class Action(StrEnum):
    """What to do with alerts."""

    list = "list"
    show = "show"
    ack = "ack"
    mute = "mute"
    unmute = "unmute"
    useful = "useful"
    send = "send"
    test = "test"


def alerts(
    action: Annotated[
        Action, argument(about="list, show, ack, mute, unmute, useful, send, test; list when left out.")
    ] = Action.list,
    what: Annotated[str | None, argument(about="The alert's number; test: the sink's name.")] = None,
    answer: Annotated[str | None, argument(about="useful: yes or no.")] = None,
    everything: Annotated[bool, option("--all", about="list: resolved alerts and diagnoses too.")] = False,
    deployment: Annotated[str, option("--deployment", metavar="NAME", about="list: only of this deployment.")] = "",
    span: Annotated[str, option("--for", metavar="SPAN", about="mute: for how long, as '8 hours' or '2 days'.")] = "",
    why: Annotated[str, option("--why", metavar="REASON", about="A reason, for the audit trail; mute needs one.")] = "",
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """List alerts, show one with its evidence and chart, and say what you think of it."""
    with entered(project) as opened:
        if action is Action.list:
            _list(opened, everything=everything, deployment=deployment, as_json=as_json)
        elif action in {Action.send, Action.test}:
            _send(opened, what if action is Action.test else None, test=action is Action.test, as_json=as_json)
        elif action is Action.show:
            alert, events = opened.alert(_number(what, action))
            print(
                json.dumps(plain_alert(alert, events), indent=2, default=str) if as_json else alert_text(alert, events)
            )
        else:
            _say(opened, action, _number(what, action), answer, span=span, why=why)


def _list(opened: Project, *, everything: bool, deployment: str, as_json: bool) -> None:
    known = opened.alerts()
    found = [one for one in known if not deployment or name_key(one.deployment) == name_key(deployment)]
    shown = [one for one in found if everything or (one.state == "open" and one.severity == "page")]
    states = opened.sinks()
    if as_json:
        print(json.dumps(as_json_rows(shown, states), indent=2, default=str))
        return
    print(list_text(shown, others=len(found) - len(shown), now=utc_now()))
    down = sinks_text(states)
    if down:
        print(f"\n{down}")


def _say(opened: Project, action: Action, number: int, answer: str | None, *, span: str, why: str) -> None:
    if action is Action.ack:
        alert = opened.acknowledge(number, why=why)
        print(f"alert {number} is acknowledged by {alert.acknowledged_by}")
    elif action is Action.mute:
        length = read_duration(span)
        if length is None:
            said = f"--for takes a length of time; got {span!r}" if span else "muting an alert needs an end"
            raise SettingsError(said, hint=f"tidemill alerts mute {number} --for '8 hours'")
        alert = opened.mute(number, until=utc_now() + length, why=why)
        print(f"until {alert.muted_until:%Y-%m-%d %H:%M} UTC nothing is sent about this: {alert.headline}")
    elif action is Action.unmute:
        muted = opened.alert(number)[0].muted_until
        if muted is None or muted <= utc_now():
            print(f"alert {number} is not muted")
            return
        opened.mute(number, until=None, why=why)
        print(f"alert {number} is heard again")
    else:
        useful = {"yes": True, "no": False}.get((answer or "").lower())
        if useful is None:
            hint = did_you_mean(answer or "", ["yes", "no"]) or f"tidemill alerts useful {number} yes, or no"
            raise SettingsError(f"say whether alert {number} was useful: yes or no", hint=hint)
        alert, least = opened.rate_alert(number, useful=useful, why=why)
        print(f"alert {number} was {'useful' if useful else 'not useful'}")
        for key, value in least.items():
            part = f" ({key.slice})" if key.slice else ""
            still = _still(alert, key, value)
            print(f"{key.test} of {key.subject}{part}: no alert up to {value:.4g} from now on{still}")


def _still(alert: AlertRow, key: Key, least: float) -> str:
    """That what was seen stays an alert, where one opinion does not reach that far."""
    for one in alert.evidence:
        if (one["family"], one["subject"], one["slice"], one["test"]) == key and abs(one["value"] or 0.0) > least:
            return f"; {abs(one['value']):.4g} stays one: of quality, an opinion makes it twice as large at most"
    return ""


def _send(opened: Project, sink: str | None, *, test: bool, as_json: bool) -> None:
    if test:
        if not sink:
            raise SettingsError("name the sink to test", hint="tidemill alerts test NAME, of [alerts.NAME]")
        opened.test_sink(sink)
    passed = opened.deliver_alerts()
    if as_json:
        print(json.dumps({"sent": passed.sent, "failed": passed.failed, "late": list(passed.late)}))
    else:
        for name, number in passed.sent.items():
            print(f"{name}: {number} sent")
        for name, reason in passed.failed.items():
            then = "given up" if name in passed.refused else "it is tried again later"
            print(f"{name}: {reason}; {then}", file=sys.stderr)
        for name in passed.late:
            print(f"{name}: still sending", file=sys.stderr)
        if not (passed.sent or passed.failed or passed.late):
            print("nothing is due")
    if test and sink not in passed.sent:
        raise Exit(1)


def _number(text: str | None, action: Action) -> int:
    if text is None or not text.isdecimal():
        said = "no number was given" if text is None else f"{text!r} is no number"
        raise SettingsError(
            f"{said}: which alert?", hint=f"tidemill alerts {action.value} 1; tidemill alerts lists them"
        )
    return int(text)
