"""The server as one ASGI application, and the worker process that runs it.

``python -m tidemill.asgi OPTIONS`` is how `tidemill.serving.supervisor` starts a worker: OPTIONS is one JSON object
(`WorkerOptions`), the listening socket and two pipes are inherited.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from tidemill.api.access import Policy, make_policy
from tidemill.api.app import App
from tidemill.api.context import Context
from tidemill.api.idempotency import Answered
from tidemill.api.ids import Ids
from tidemill.api.metrics import gauges
from tidemill.api.samples import sample_request
from tidemill.api.shadow_log import tell_log
from tidemill.api.traces import make_tracer
from tidemill.core.clock import Clock
from tidemill.core.errors import TidemillError
from tidemill.core.left_out import leave_out_pandas
from tidemill.core.settings import read_settings
from tidemill.serving.counters import Counters
from tidemill.serving.live import Live
from tidemill.serving.log.redact import log_key
from tidemill.serving.log.writer import LogWriter
from tidemill.serving.online.transformed import RowTransform
from tidemill.serving.supervisor import WorkerOptions
from tidemill.warehouse.control.tokens import Token, read_token_lines

TICK_S = 1.0
THREADS = 2


def make_context(options: WorkerOptions, *, clock: Clock) -> Context:
    """Load what is deployed, and everything that handlers share.

    Raises
    ------
    TidemillError
        The settings are wrong, or the control database cannot be read.
    """
    root = Path(options.root)
    tokens: tuple[Token, ...] = ()
    if options.tokens_file:
        with Path(options.tokens_file).open(encoding="utf-8") as lines:
            tokens = tuple(read_token_lines(lines, file=options.tokens_file))
    settings, keep = read_settings(root), root / ".tidemill"
    live = Live(keep, settings, clock=clock, worker=options.worker, tokens=tokens, transform=open_transform)
    live.start()
    server = settings.server
    policy = make_policy(
        host=options.host, auth=server.auth, hosts=(*server.hosts, *options.hosts), origins=server.origins
    )
    return wire_context(live, policy)


def wire_context(live: Live, policy: Policy) -> Context:
    """The parts that handlers share, around what is deployed."""
    keep, settings, clock = live.keep, live.settings, live.clock
    serve = keep / "serve"
    log = LogWriter(keep / "spool", worker=f"worker{live.worker}", clock=clock)
    server = settings.server
    hides = any(one.settings.hash_columns for one in live.deployments.values())
    ctx = Context(
        live=live,
        log=log,
        settings=server,
        policy=policy,
        clock=clock,
        ids=Ids(),
        counters=Counters(serve / "counters", live.worker),
        answered=Answered(
            serve / "idempotency.sqlite", hours=server.idempotency_hours, now_s=lambda: clock.now().timestamp()
        ),
        pool=ThreadPoolExecutor(THREADS, thread_name_prefix="large"),
        log_key=log_key(serve) if hides or settings.deployments else b"",
        tracer=make_tracer(),
    )
    live.tell_shadow = tell_log(ctx)
    return ctx


def open_transform(raw: Sequence[tuple[str, str]], made: Sequence[tuple[str, str, str]]) -> RowTransform:
    """Open the engine for a TRANSFORM that a graph cannot say: only a worker with such a model loads it."""
    from tidemill.warehouse.duckdb.row_transform import open_row_transform

    return open_row_transform(raw, made)


def close_context(ctx: Context) -> None:
    """End what was begun, the log last."""
    ctx.pool.shutdown()
    ctx.counters.save(gauges(ctx))
    ctx.answered.close()
    if ctx.tracer is not None:
        ctx.tracer.close()
    ctx.live.stop()
    ctx.log.close()


async def serve(ctx: Context, options: WorkerOptions, listener: socket.socket, say_ready: Any) -> None:
    """Serve until a signal, or the end of the supervisor, asks for the end; then drain.

    The order: readiness says no while requests are still answered, for load balancers to see it; then nothing new is
    accepted; then what is in work ends; then the log is closed.
    """
    from tidemill.api.protocol import Protocol

    app = App(ctx)
    server = make_server(app, options)
    Protocol.queue, Protocol.now = ctx.settings.queue, staticmethod(app.now)
    Protocol.read_s = ctx.settings.deadline_ms / 1000.0
    ctx.requests = lambda: len(server.server_state.tasks)
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[bool] = loop.create_future()

    def ask(patiently: bool) -> None:
        if not asked.done():
            asked.set_result(patiently)

    loop.add_signal_handler(signal.SIGTERM, ask, True)
    loop.add_signal_handler(signal.SIGINT, ask, False)
    if options.alive_fd >= 0:
        loop.add_reader(options.alive_fd, ask, False)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    ticking = asyncio.create_task(_tick(ctx, server))
    while not server.started:
        await asyncio.sleep(0.005)
    say_ready()
    patiently = await asked
    if options.alive_fd >= 0:
        loop.remove_reader(options.alive_fd)
    ctx.draining = True
    await asyncio.sleep(ctx.settings.settle_seconds if patiently else 0)
    server.should_exit = True
    await running
    ticking.cancel()


def make_server(app: App, options: WorkerOptions) -> Any:
    """uvicorn, set up from here alone: no signals, no access log, no headers of its own."""
    import uvicorn

    from tidemill.api.protocol import Protocol

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = uvicorn.Config(
        app,
        http=Protocol,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=2048,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, int(options.drain_s)),
        ssl_certfile=options.certfile or None,
        ssl_keyfile=options.keyfile or None,
    )
    return Server(config)


async def _tick(ctx: Context, server: Any) -> None:
    from tidemill.api.protocol import sweep

    while True:
        await asyncio.sleep(TICK_S)
        sweep(server.server_state.connections)
        with contextlib.suppress(OSError):  # metrics of this worker are a second older
            ctx.counters.save(gauges(ctx))


def main(text: str) -> int:
    """A worker's life, in a process of its own; returns its exit status."""
    leave_out_pandas()
    options = msgspec.json.decode(text, type=WorkerOptions)
    try:
        ctx = make_context(options, clock=Clock())
    except TidemillError as error:
        _say(options, {"error": error.as_json()})
        return error.exit_status
    listener = socket.socket(fileno=options.listen_fd)
    # What was loaded stays: the collector need not look at it again, and pages stay shared.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    import uvloop

    def say_ready() -> None:
        _say(options, {"ready": True, "pid": os.getpid(), "sample": sample_request(ctx)})

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(ctx, options, listener, say_ready))
    close_context(ctx)
    return 0


def _say(options: WorkerOptions, told: dict[str, Any]) -> None:
    """One line to the supervisor."""
    if options.say_fd < 0:
        return
    with contextlib.suppress(OSError):
        os.write(options.say_fd, msgspec.json.Encoder(enc_hook=str).encode(told) + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
