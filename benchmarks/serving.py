"""Requests a second: one worker against a bare ASGI application with the same 100 trees, msgspec and onnxruntime.

wrk asks over 8 connections, one contestant after the other, in rounds. Tidemill checks a token, validates, counts, and
logs each answer before it is sent.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.common import BARE, OUT, PYTHON, TIDEMILL, Options, Result, Target, say

FOLDER = OUT / "serving"
BARE_PORT = 8461
ROW_COUNTS = (1, 100)
CONNECTIONS = 8

TOML = 'name = "bench"\n[server]\nauth = "always"\nsettle_seconds = 0\n[deployments.trees]\nlog = "{log}"\n'

SQL = """
CREATE TABLE people AS
SELECT * EXCLUDE (s), CASE WHEN coalesce(n0, 50) + coalesce(n1, 50) / 2 + random() * 40
       + CASE c0 WHEN 'a' THEN 20 ELSE 0 END > 95 THEN 'yes' ELSE 'no' END AS label
FROM (SELECT setseed(0.5) AS s, {numbers}, {words} FROM range({rows}));

CREATE MODEL trees OPTIONS (model_type = 'BOOSTED_TREE_CLASSIFIER', input_label_cols = ['label'],
                            max_iterations = 100, early_stop = FALSE) AS
SELECT * FROM people;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What wrk saw of one contestant."""

    per_second: float
    p99_ms: float
    cpu_us: float


@dataclass(slots=True)
class Contestant:
    """A server that runs: where it listens, and its process."""

    url: str
    pid: int
    loads: dict[int, list[Load]] = field(default_factory=dict)


def run(options: Options) -> Result:
    if shutil.which("wrk") is None:
        raise SystemExit("this job needs wrk")
    token = _prepare(options)
    seconds = 2 if options.quick else 8
    with _bare() as bare, _ours("buffered") as (buffered, starts), _ours("durable") as (durable, _):
        contestants = {"bare": bare, "buffered": buffered, "durable": durable}
        for number in range(options.rounds):
            for rows in ROW_COUNTS:
                for name, one in contestants.items():
                    one.loads.setdefault(rows, []).append(_load(one, rows, token, seconds))
                    say(f"  round {number + 1}, {rows} rows, {name}: {one.loads[rows][-1].per_second:,.0f} requests/s")
        pss = _pss_mb(buffered.pid)
    return Result(job="serving", lines=_lines(contestants, pss, starts), targets=_targets(contestants, pss, starts))


def _prepare(options: Options) -> str:
    """Train, take the bare application's files out of the artifact, deploy, make a token; its text."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    project = FOLDER / "buffered"
    (project / "sql").mkdir(parents=True)
    (project / "tidemill.toml").write_text(TOML.format(log="buffered"))
    numbers = [f"CASE WHEN random() < 0.05 THEN NULL ELSE round(random() * 100, 3) END AS n{i}" for i in range(25)]
    words = [f"['a', 'b', 'c', 'd', 'e', NULL][1 + floor(random() * 6)::INTEGER] AS c{i}" for i in range(6)]
    text = SQL.format(numbers=", ".join(numbers), words=", ".join(words), rows=options.rows(20_000))
    (project / "sql" / "trees.sql").write_text(text)
    subprocess.run([TIDEMILL, "run", "--project", project], check=True, stdout=subprocess.DEVNULL)
    code = f"from benchmarks.serving import write_bare; write_bare({str(project)!r}, {str(FOLDER)!r})"
    subprocess.run([PYTHON, "-c", code], check=True)
    deploy = [TIDEMILL, "deploy", "trees", "--override", "a benchmark", "--project", project]
    subprocess.run(deploy, check=True, stdout=subprocess.DEVNULL)
    code = f"from benchmarks.serving import new_token; print(new_token({str(project)!r}))"
    token = subprocess.run([PYTHON, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    shutil.copytree(project, FOLDER / "durable")
    (FOLDER / "durable" / "tidemill.toml").write_text(TOML.format(log="durable"))
    return token


def write_bare(project: str, folder: str) -> None:
    """Write what the bare application reads, and the bodies of the requests."""
    from tidemill.project import open_project
    from tidemill.registry.versions import load

    with open_project(project) as opened:
        files = load(opened.db, opened.store, "trees", 1).files
    features = json.loads(files["features.json"])["features"]
    columns = [[one["column"], one["encoding"].get("vocabulary")] for one in features]
    rows = json.loads(files["golden.json"])["rows"]
    where = Path(folder)
    (where / "scores.onnx").write_bytes(files["scores.onnx"])
    (where / "columns.json").write_text(json.dumps(columns))
    for count in ROW_COUNTS:
        body = {"rows": [rows[i % len(rows)] for i in range(count)]}
        (where / f"{count}.json").write_text(json.dumps(body, separators=(",", ":")))


def new_token(project: str) -> str:
    """A token that may predict."""
    from tidemill.project import open_project
    from tidemill.warehouse.control.tokens import create_token

    with open_project(project) as opened:
        return create_token(opened.db, "bench", "predict", who="bench")


@contextlib.contextmanager
def _bare() -> Iterator[Contestant]:
    command = [PYTHON, "-m", "uvicorn", "--app-dir", BARE, "serving:app", "--port", str(BARE_PORT), "--loop", "uvloop"]
    command += ["--http", "httptools", "--no-access-log", "--log-level", "error"]
    with subprocess.Popen(command, env=os.environ | {"SERVING": str(FOLDER)}) as process:
        time.sleep(3)
        yield Contestant(f"http://127.0.0.1:{BARE_PORT}/", process.pid)
        process.send_signal(signal.SIGTERM)


@contextlib.contextmanager
def _ours(log: str) -> Iterator[tuple[Contestant, float]]:
    """A server, and how long it took from the command to its readiness."""
    command = [TIDEMILL, "serve", "--port", "0", "--json", "--project", FOLDER / log]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())["ready"]
        took = time.perf_counter() - began
        yield Contestant(f"{told['address']}/models/trees/predict", told["pids"][0]), took
        process.send_signal(signal.SIGTERM)


def _load(one: Contestant, rows: int, token: str, seconds: int) -> Load:
    script = FOLDER / f"{rows}.lua"
    script.write_text(
        f'wrk.method = "POST"\nwrk.body = io.open("{FOLDER / f"{rows}.json"}"):read("*a")\n'
        f'wrk.headers["Content-Type"] = "application/json"\nwrk.headers["Authorization"] = "Bearer {token}"\n'
    )
    before = _cpu_s(one.pid)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "--latency", "-s", script, one.url]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise SystemExit(f"{one.url} did not answer every request:\n{told}")
    words = {line.split()[0]: line.split() for line in told.splitlines() if line.strip()}
    requests = next(int(line.split()[0]) for line in told.splitlines() if "requests in" in line)
    return Load(
        per_second=float(words["Requests/sec:"][1]),
        p99_ms=_ms(words["99%"][1]),
        cpu_us=(_cpu_s(one.pid) - before) / requests * 1e6,
    )


def _ms(text: str) -> float:
    for unit, factor in (("us", 0.001), ("ms", 1.0), ("s", 1000.0)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    raise ValueError(text)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _pss_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(text.split("\nPss:")[1].split()[0]) / 1024


def _median(one: Contestant, rows: int, what: str) -> float:
    return statistics.median(getattr(load, what) for load in one.loads[rows])


def _ratio(contestants: Mapping[str, Contestant], name: str, rows: int, what: str) -> float:
    """The median of the rounds' ratios to the bare application."""
    pairs = zip(contestants["bare"].loads[rows], contestants[name].loads[rows], strict=True)
    return statistics.median(getattr(mine, what) / getattr(bare, what) for bare, mine in pairs)


def _lines(contestants: Mapping[str, Contestant], pss_mb: float, start_s: float) -> list[str]:
    lines = [
        f"100 trees, 31 columns; wrk, {CONNECTIONS} connections, one worker.",
        "",
        "| rows a request | | requests/s | x bare | p99 ms | x bare | CPU us a request |",
        "|---|---|---|---|---|---|---|",
    ]
    for rows in ROW_COUNTS:
        for name, one in contestants.items():
            lines.append(
                f"| {rows} | {name} | {_median(one, rows, 'per_second'):,.0f} | "
                f"{_ratio(contestants, name, rows, 'per_second'):.2f} | {_median(one, rows, 'p99_ms'):.2f} | "
                f"{_ratio(contestants, name, rows, 'p99_ms'):.2f} | {_median(one, rows, 'cpu_us'):.0f} |"
            )
    return [*lines, "", f"From the command to ready: {start_s:.2f} s. Memory of the worker (PSS): {pss_mb:.0f} MB."]


def _targets(contestants: Mapping[str, Contestant], pss_mb: float, start_s: float) -> list[Target]:
    def times_slower(rows: int) -> float:
        return 1 / _ratio(contestants, "buffered", rows, "per_second")

    durable = _median(contestants["durable"], 1, "per_second")
    return [
        Target(what="Bare application's requests/s over ours, 1 row", value=times_slower(1), limit=1 / 0.6),
        Target(what="Bare application's requests/s over ours, 100 rows", value=times_slower(100), limit=1 / 0.8),
        Target(what="p99 over the bare one's, 1 row", value=_ratio(contestants, "buffered", 1, "p99_ms"), limit=1.5),
        Target(what="2,000 requests/s over those with a durable log", value=2000 / durable, limit=1.0),
        Target(what="From the command to ready", value=start_s, limit=2.0, unit="s"),
        Target(what="Memory of a worker", value=pss_mb, limit=150.0, unit="MB"),
    ]
