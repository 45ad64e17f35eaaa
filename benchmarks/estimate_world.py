"""Models that Tidemill trained on public data, rows they never saw, and what may happen to these."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from tidemill.evaluation.estimate import learn_estimator
from tidemill.evaluation.estimated import Estimator
from tidemill.evaluation.sides import learn_sides
from tidemill.model_types.base import Labels
from tidemill.project import open_project
from tidemill.runner.functions.facts import ModelFacts
from tidemill.runner.judging import judged_table

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MODELS = ("LOGISTIC_REG", "BOOSTED_TREE_CLASSIFIER")
ADULT = "SELECT * FROM read_csv(['{data}/adult/adult_train.csv', '{data}/adult/adult_test.csv'])"
TELCO = (
    "SELECT * EXCLUDE (customerID, TotalCharges), TRY_CAST(TotalCharges AS DOUBLE) AS TotalCharges"
    " FROM read_csv('{data}/telco_churn/Telco-Customer-Churn.csv')"
)
Columns = Mapping[str, np.ndarray]
Shift = Callable[[Columns], np.ndarray]


def z(values: np.ndarray) -> np.ndarray:
    numbers = values.astype(np.float64)
    return (numbers - numbers.mean()) / numbers.std()


def starts(values: np.ndarray, text: str) -> np.ndarray:
    return np.array([str(one).startswith(text) for one in values], dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A table, its label, and how windows are drawn from rows a model never saw.

    Parameters
    ----------
    shifts
        By name: the logarithm of how likely a row is drawn.
    group
        Rows whose labels change in a concept drift of a part of the rows.
    sizes
        Rows of a window.
    watched
        A column whose drift a monitor counts.
    """

    name: str
    sql: str
    label: str
    shifts: Mapping[str, Shift]
    group: Shift
    sizes: tuple[int, ...]
    watched: str


def _some(age: float, education: float, hours: float) -> Shift:
    return lambda c: age * z(c["age"]) + education * z(c["education_num"]) + hours * z(c["hours_per_week"])


DATA_SETS = (
    DataSet(
        name="adult",
        sql=ADULT,
        label="income",
        shifts={
            "none": lambda c: np.zeros(len(c["age"])),
            "older": lambda c: z(c["age"]),
            "younger": lambda c: -1.5 * z(c["age"]),
            "better educated": lambda c: 1.2 * z(c["education_num"]),
            "more women": lambda c: 2.0 * starts(c["sex"], "Female"),
            "more married": lambda c: 2.0 * starts(c["marital_status"], "Married"),
            "age, education, hours up": _some(0.8, 0.8, 0.5),
            "age, education, hours down": _some(-0.8, -0.8, -0.5),
        },
        group=lambda c: c["age"] > 45,
        sizes=(500, 1_000, 2_000),
        watched="age",
    ),
    DataSet(
        name="telco_churn",
        sql=TELCO,
        label="Churn",
        shifts={
            "none": lambda c: np.zeros(len(c["tenure"])),
            "month-to-month": lambda c: 2.0 * starts(c["Contract"], "Month"),
            "long contracts": lambda c: -1.5 * starts(c["Contract"], "Month"),
            "newer customers": lambda c: -1.5 * z(c["tenure"]),
            "older customers": lambda c: z(c["tenure"]),
            "more fibre": lambda c: 2.0 * starts(c["InternetService"], "Fiber"),
            "more seniors": lambda c: 2.0 * c["SeniorCitizen"].astype(np.float64),
            "newer, dearer": lambda c: -0.8 * z(c["tenure"]) + 0.8 * z(c["MonthlyCharges"]),
        },
        group=lambda c: starts(c["Contract"], "Month") > 0,
        sizes=(500, 1_000),
        watched="tenure",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unseen:
    """Rows that a model never saw, with its scores and their labels, and what its held-out rows lead to expect.

    Parameters
    ----------
    table, columns
        The rows without their label, and the columns of these rows with it.
    estimator, alone
        Learnt with the columns beside the score, and from scores alone.
    sides
        Those columns.
    """

    labels: Labels
    y: np.ndarray
    scores: np.ndarray
    table: pa.Table
    columns: Columns
    estimator: Estimator
    alone: Estimator
    sides: np.ndarray
    held: tuple[np.ndarray, np.ndarray]

    def draw(self, shift: Shift, rows: int, random: np.random.Generator) -> np.ndarray:
        """Places of the rows of a window."""
        weights = np.exp(shift(self.columns))
        return random.choice(len(self.y), rows, replace=False, p=weights / weights.sum())


def unseen(data: DataSet, model_type: str, split: int) -> Unseen:
    """Train on one half of the rows, score the other; the halves are other ones in each split."""
    with tempfile.TemporaryDirectory(prefix="tidemill-estimate-") as folder:
        return trained(Path(folder), data, model_type, split)


def trained(root: Path, data: DataSet, model_type: str, split: int, *, settings: str = 'name = "estimate"\n') -> Unseen:
    """The same in a folder that stays."""
    (root / "tidemill.toml").write_text(settings)
    (root / "sql").mkdir()
    rows = data.sql.format(data=DATA)
    half = f"SELECT * EXCLUDE (place) FROM (SELECT *, row_number() OVER () AS place FROM ({rows})) WHERE"
    part = f"hash(place * 100 + {split}) % 2"
    (root / "sql" / "all.sql").write_text(
        f"CREATE TABLE trains AS {half} {part} = 0;\nCREATE TABLE unseen AS {half} {part} = 1;\n"
        f"CREATE MODEL m OPTIONS (model_type = '{model_type}', input_label_cols = ['{data.label}'])"
        " AS SELECT * FROM trains;\n"
    )
    with open_project(root) as project:
        report = project.run()
        assert report.status == "ok", report
        table = project.sql("SELECT * FROM unseen").to_arrow()
        model = project.stations.load_model("m")
        y, scores = judged_table(project.stations, model, table)
        labels, kept = ModelFacts(model).labels, project.held_out("m")
        held = judged_table(project.stations, model, kept)
    sides = learn_sides(kept.drop_columns([data.label]))
    assert sides is not None
    return Unseen(
        labels=labels,
        y=y,
        scores=scores,
        table=table.drop_columns([data.label]),
        columns={name: np.array(table.column(name).to_pylist()) for name in table.column_names},
        estimator=learn_estimator(labels, *held, sides=sides.columns(kept)),
        alone=learn_estimator(labels, *held),
        sides=sides.columns(table),
        held=held,
    )
