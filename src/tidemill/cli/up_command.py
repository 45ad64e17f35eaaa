"""tidemill up: server, collector, monitor and scheduler in one tree of processes."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from click.exceptions import Exit

from tidemill.cli.options import AllowHost, BehindProxy, Certfile, Host, Keyfile, Port, ProjectFolder, Workers
from tidemill.cli.parameters import option
from tidemill.core.clock import Clock
from tidemill.core.errors import SettingsError
from tidemill.core.names import did_you_mean


class Log(StrEnum):
    """How what happens is told."""

    text = "text"
    json = "json"


def up(
    host: Host = "127.0.0.1",
    port: Port = 8050,
    workers: Workers = 1,
    certfile: Certfile = "",
    keyfile: Keyfile = "",
    behind_proxy: BehindProxy = False,
    allow_host: AllowHost = None,
    without: Annotated[
        list[str] | None, option("--without", metavar="PART", about="Leave a part out; it may run elsewhere.")
    ] = None,
    drain: Annotated[
        float, option("--drain", metavar="SECONDS", about="How long scheduled work may go on after SIGTERM.", least=0)
    ] = 30,
    log: Annotated[Log, option("--log", about="Tell what happens as text, or as JSON lines.")] = Log.text,
    project: ProjectFolder = Path(),
) -> None:
    """Run every part until SIGTERM or Ctrl-C; one that dies is started again."""
    from tidemill.project import open_project
    from tidemill.up.parts import PARTS, UpOptions
    from tidemill.up.tree import Tree

    with open_project(project) as opened:
        root, server = opened.root, opened.settings.server
        _ = opened.db  # a project that nothing was done in gets its control database before the parts ask for it
    known = [part.name for part in PARTS]
    for name in without or ():
        if name not in known:
            raise SettingsError(f"there is no part {name}", hint=did_you_mean(name, known))
    serve = ["--host", host, "--port", str(port), "--workers", str(workers), *(["--behind-proxy"] * behind_proxy)]
    for word, path in (("--certfile", certfile), ("--keyfile", keyfile)):
        serve += [word, str(Path(path).resolve())] if path else []
    for name in allow_host or ():
        serve += ["--allow-host", name]
    options = UpOptions(
        root=root,
        serve=tuple(serve),
        as_json=log is Log.json,
        server_ends_s=server.settle_seconds + server.drain_seconds + 10.0,
        slots_end_s=drain,
    )
    parts = [part for part in PARTS if part.name not in (without or ())]
    clock = Clock()

    def say(part: str, word: str, facts: dict[str, Any]) -> None:
        moment = clock.now()
        line = _as_json(part, word, facts) if log is Log.json else _as_text(part, word, facts)
        line = {"at": moment.isoformat(), **line} if isinstance(line, dict) else f"{moment:%H:%M:%S} {line}"
        print(json.dumps(line, ensure_ascii=False, default=str) if isinstance(line, dict) else line, flush=True)

    status = Tree(options=options, parts=parts, say=say, clock=clock).run()
    if status:
        raise Exit(status)


def _as_text(part: str, word: str, facts: dict[str, Any]) -> str:
    width = 9
    return f"{part:<{width}} | {facts['line'] if word == 'line' else _sentence(word, facts)}"


def _as_json(part: str, word: str, facts: dict[str, Any]) -> dict[str, Any]:
    if word != "line":
        return {"part": part, word: facts}
    try:
        told = json.loads(facts["line"])
    except ValueError:
        told = None
    return {"part": part, **told} if isinstance(told, dict) and "part" not in told else {"part": part, **facts}


def _sentence(word: str, facts: dict[str, Any]) -> str:
    child = facts.get("child", "")
    if word == "started":
        return f"{child} is process {facts['pid']}"
    if word == "ending":
        return f"{facts['why']}: ending the parts in order"
    if word == "ended":
        return f"{child} has ended" + (f": {facts['how']}" if facts["how"] else "")
    if word == "killed":
        return f"{child} did not end within {facts['after_s']:g} s: killed"
    if word == "cannot start":
        return f"{child} cannot start (status {facts['status']}): its message stands above"
    return f"{child} died ({facts['why']}): starting it again in {facts['pause_s']:g} s"
