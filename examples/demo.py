"""The main job on a real table, from a file to answers in production: what `make demo` runs.

The table is scikit-learn's copy of the breast cancer data of Wisconsin: 569 tumours, 30 measurements, benign or not.
Everything after the file is made by the commands a user would type; they are printed as they run.
"""

from __future__ import annotations

import csv
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from traffic import Client, server

FOLDER = Path(__file__).parents[1] / "demo"
COMMAND = Path(sys.executable).with_name("tidemill")


def write_table(path: Path) -> None:
    """Write the data set as a CSV file, as somebody would send it."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    names = [name.replace(" ", "_") for name in data.feature_names]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["tumour_id", *names, "diagnosis"])
        for number, (row, target) in enumerate(zip(data.data, data.target, strict=True), start=1):
            writer.writerow([number, *(f"{value:g}" for value in row), data.target_names[target]])


def run(*arguments: str, folder: Path, check: bool = True) -> None:
    """Print a command, and run it."""
    print(f"\n$ tidemill {shlex.join(arguments)}", flush=True)
    subprocess.run([COMMAND, *arguments], cwd=folder, check=check, env={**os.environ, "COLUMNS": "110"})


def main() -> None:
    """Run the demo from an empty folder."""
    started = time.perf_counter()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    write_table(FOLDER / "tumours.csv")
    print("A table somebody sent: demo/tumours.csv, 569 rows. A project is made from it, then run.")

    run("init", "tumours", "--from", "tumours.csv", "--predict", "diagnosis", folder=FOLDER)
    project = FOLDER / "tumours"
    for path in sorted(project.glob("sql/*.sql")):
        print(f"\n--- {path.relative_to(project)}\n{path.read_text(encoding='utf-8').rstrip()}")
    run("plan", folder=project)
    run("run", folder=project)

    print("\nA second run has nothing to do:")
    run("run", folder=project)

    model, table = names_of(project)
    print("\nThe metrics, on rows the model never saw:")
    run("sql", "-e", f"SELECT * FROM ML.EVALUATE(MODEL {model})", folder=project)
    print("\nThree predictions:")
    query = (
        "SELECT tumour_id, diagnosis, predicted_diagnosis,"
        " round(predicted_diagnosis_probs[1].prob, 4) AS chance_malignant"
        f" FROM ML.PREDICT(MODEL {model}, (SELECT * FROM {table} ORDER BY tumour_id LIMIT 3))"
    )
    run("sql", "-e", query, folder=project)
    answer_over_http(project, model, table)
    print(f"\nDone in {time.perf_counter() - started:.1f} s. The project is in {project}: change its sql/, run again.")
    print(f"To serve it: cd {project} && {COMMAND} serve")


def answer_over_http(project: Path, model: str, table: str) -> None:
    """Deploy, serve, roll a better version out, and see a worse one go back."""
    with (project / "tidemill.toml").open("a", encoding="utf-8") as settings:
        settings.write(
            f"\n[deployments.{model}.rollout]  # small, so that the demo is short\n"
            "shadow_requests = 200\nshares = [0.1, 0.5]\nrequests_per_share = 100\n"
        )
    print("\nThe version passes its gates, and answers over HTTP:")
    run("deploy", model, folder=project)
    rows = held_out(project, model, table)
    with server(project) as address:
        client = Client(address, model, rows, "diagnosis")
        row = {name: value for name, value in rows[0].items() if name != "diagnosis"}
        url = f"http://{address[0]}:{address[1]}/models/{model}/predict"
        body = {"rows": [row]}
        print(f"\n$ curl {url} -H 'Content-Type: application/json' -d '{json.dumps(body)}'")
        print(json.dumps(client.post("predict", body)))
        print("\nA second version, of twice as many trees, is trained and deployed while requests come in:")
        change_model(project, model, "max_iterations = 100", "max_iterations = 200")
        run("run", folder=project)
        run("deploy", model, folder=project)
        client.send_until(lambda state: state["challenger"] is None, look=lambda: state_of(project))

        print("\nA third one learns from a table whose labels somebody turned round. The gates see it:")
        turn_labels(project, table)
        run("run", folder=project)
        run("deploy", model, folder=project, check=False)
        print("\nSomebody overrides them. The version answers in the shadow, and goes back by itself:")
        run("deploy", model, "--override", "demo: to see it go back", "--why", "demo", folder=project)
        client.send_until(lambda state: state["challenger"] is None, look=lambda: state_of(project))
        print(f"  requests that each version answered: {dict(sorted(client.answered.items()))}")
    run("status", model, folder=project)
    print("\nAny answer can be computed again from the log:")
    run("collect", "--once", folder=project)
    run("replay", last_prediction(project), folder=project)


def names_of(project: Path) -> tuple[str, str]:
    """The model's and the table's name, asked of the project itself."""
    import tidemill

    with tidemill.open(project) as opened:
        assets = {
            row["kind"]: row["name"]
            for row in opened.sql("SELECT name, kind FROM tidemill.assets").to_arrow().to_pylist()
        }
    return assets["model"], assets["table"]


def held_out(project: Path, model: str, table: str) -> list[dict[str, Any]]:
    """Rows that training kept aside, with their labels; the whole table where it kept none."""
    import tidemill

    with tidemill.open(project) as opened:
        found = opened.held_out(model)
        known = {name: number for number, name in enumerate(found.column_names)}
        keys = opened.sql(f"SELECT tumour_id, * EXCLUDE (tumour_id) FROM {table}").to_arrow().to_pylist()
    wanted = {tuple(row[name] for name in known) for row in found.to_pylist()}
    return [row for row in keys if tuple(row[name] for name in known) in wanted]


def state_of(project: Path) -> dict[str, Any]:
    """How the deployment stands."""
    import tidemill

    with tidemill.open(project) as opened:
        return opened.status(changes=0)[0].as_json()


def last_prediction(project: Path) -> str:
    """The id of the newest answer in the log."""
    import tidemill

    with tidemill.open(project) as opened:
        query = "SELECT id FROM tidemill.predictions WHERE route = 'champion' ORDER BY at DESC LIMIT 1"
        return str(opened.sql(query).fetchall()[0][0])


def change_model(project: Path, model: str, old: str, new: str) -> None:
    """Change the model's statement."""
    path = project / "sql" / f"{model}.sql"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def turn_labels(project: Path, table: str) -> None:
    """Turn the labels of the table round, as a wrong join would."""
    path = project / "sql" / f"{table}.sql"
    turned = "SELECT * REPLACE (CASE diagnosis WHEN 'benign' THEN 'malignant' ELSE 'benign' END AS diagnosis)\nFROM"
    path.write_text(path.read_text(encoding="utf-8").replace("SELECT *\nFROM", turned), encoding="utf-8")


if __name__ == "__main__":
    main()
