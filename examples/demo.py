"""The main job on a real table, from a file to three predictions: what `make demo` runs.

The table is scikit-learn's copy of the breast cancer data of Wisconsin: 569 tumours, 30 measurements, benign or not.
Everything after the file is made by the commands a user would type; they are printed as they run.
"""

from __future__ import annotations

import csv
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

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


def run(*arguments: str, folder: Path) -> None:
    """Print a command, and run it."""
    print(f"\n$ tidemill {shlex.join(arguments)}", flush=True)
    subprocess.run([COMMAND, *arguments], cwd=folder, check=True, env={**os.environ, "COLUMNS": "110"})


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
    print(f"\nDone in {time.perf_counter() - started:.1f} s. The project is in {project}: change its sql/, run again.")


def names_of(project: Path) -> tuple[str, str]:
    """The model's and the table's name, asked of the project itself."""
    import tidemill

    with tidemill.open(project) as opened:
        assets = {
            row["kind"]: row["name"]
            for row in opened.sql("SELECT name, kind FROM tidemill.assets").to_arrow().to_pylist()
        }
    return assets["model"], assets["table"]


if __name__ == "__main__":
    main()
