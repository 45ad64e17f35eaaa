"""tidemill serve: answer over HTTP."""

from __future__ import annotations

import json
import os
import shlex
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from click.exceptions import Exit

from tidemill.cli.options import (
    AllowHost,
    AsJson,
    BehindProxy,
    Certfile,
    Host,
    Keyfile,
    Port,
    ProjectFolder,
    Workers,
)
from tidemill.cli.parameters import option
from tidemill.cli.stopping import UntilProcessEnds, ended_with
from tidemill.cli.words import erased_again
from tidemill.core.errors import SettingsError

if TYPE_CHECKING:
    from tidemill.project import Project

TOKENS_FILE = "TIDEMILL_TOKENS_FILE"


def serve(
    host: Host = "127.0.0.1",
    port: Port = 8050,
    workers: Workers = 1,
    certfile: Certfile = "",
    keyfile: Keyfile = "",
    behind_proxy: BehindProxy = False,
    allow_host: AllowHost = None,
    collect: Annotated[
        bool, option("--collect/--no-collect", about="Move the prediction log into the lake meanwhile.")
    ] = True,
    until_process_ends: UntilProcessEnds = None,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Serve what is deployed until SIGTERM or Ctrl-C."""
    from tidemill.api.access import is_loopback
    from tidemill.project import open_project
    from tidemill.serving.supervisor import ServeOptions
    from tidemill.serving.supervisor import serve as supervise
    from tidemill.warehouse.control.parts import beating
    from tidemill.warehouse.control.tokens import list_tokens

    with open_project(project) as opened:
        root, settings, clock = opened.root, opened.settings, opened.clock
        if again := opened.erase_restored():
            _tell("erased again", {"erasures": again}, as_json)
        existing = list_tokens(opened.db)  # a project that nothing was done in gets its control database here
        tokens_file = os.environ.get(TOKENS_FILE, "")
        _check_files(certfile, keyfile, tokens_file)
        if not is_loopback(host) and not certfile and not behind_proxy:
            raise SettingsError(
                f"{host} is reached from other machines: tokens and rows would cross the network unencrypted",
                hint="give --certfile and --keyfile, or --behind-proxy where a proxy speaks HTTPS",
            )
        asks = settings.server.auth == "always" or not is_loopback(host)
        if asks and not tokens_file and not any(one.valid(clock.now()) for one in existing):
            _tell("token", {"token": _first_token(opened), "role": "admin"}, as_json)
    options = ServeOptions(
        root=root,
        host=host,
        port=port,
        workers=workers,
        hosts=tuple(allow_host or ()),
        certfile=str(Path(certfile).resolve()) if certfile else "",
        keyfile=str(Path(keyfile).resolve()) if keyfile else "",
        tokens_file=str(Path(tokens_file).resolve()) if tokens_file else "",
        drain_s=settings.server.drain_seconds,
        settle_s=settings.server.settle_seconds,
        collect=collect,
    )
    with ExitStack() as stack:
        if until_process_ends is not None:
            stack.enter_context(ended_with(until_process_ends))

        def say(word: str, facts: dict[str, Any]) -> None:
            if word == "ready":  # said once the database is open: later, one that is away would be made anew
                db = stack.enter_context(closing(opened.db))
                stack.enter_context(beating(db, "server", about=facts["address"]))
            _tell(word, facts, as_json)

        status = supervise(options, say=say, clock=clock)
    raise Exit(status)


def _check_files(certfile: str, keyfile: str, tokens_file: str) -> None:
    if bool(certfile) != bool(keyfile):
        raise SettingsError("HTTPS needs a certificate and its key", hint="give --certfile and --keyfile")
    for path in (certfile, keyfile, tokens_file):
        if path and not Path(path).is_file():
            raise SettingsError(f"there is no file {path}")


def _first_token(project: Project) -> str:
    """Where nobody has a token, make one for an administrator; it is shown once."""
    from tidemill.core.who import current_user
    from tidemill.warehouse.control.tokens import create_token

    return create_token(project.db, f"first-{project.clock.now():%Y%m%d%H%M%S}", "admin", who=current_user())


def _tell(word: str, facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        stream = sys.stdout if word in ("ready", "token") else sys.stderr
        print(json.dumps({word: facts}, ensure_ascii=False, default=str), file=stream, flush=True)
        return
    stream = sys.stdout if word in ("ready", "token") else sys.stderr
    for line in _lines(word, facts):
        print(line, file=stream, flush=True)


def _lines(word: str, facts: dict[str, Any]) -> list[str]:
    if word == "token":
        return ["No token exists yet. This one is an administrator's, and is not shown again:", f"  {facts['token']}"]
    if word == "ready":
        return [f"serving at {facts['address']} (interface: {facts['address']}/docs)", *_curl(facts)]
    if word == "erased again":
        return [erased_again(facts["erasures"])]
    if word == "draining":
        return [f"{facts['signal']}: ending the requests in work"]
    return [f"{facts['child']} died ({facts['why']}): starting it again in {facts['pause_s']:g} s"]


def _curl(facts: dict[str, Any]) -> list[str]:
    sample = facts["sample"]
    if sample is None:
        return ["nothing is deployed yet: tidemill deploy NAME"]
    address = f"{facts['address']}/models/{sample['deployment']}/predict"
    body = json.dumps(sample["body"], ensure_ascii=False)
    return [f"try: curl {address} -H 'Content-Type: application/json' -d {shlex.quote(body)}"]
