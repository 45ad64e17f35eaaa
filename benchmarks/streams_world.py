"""The streams of `streams`: their rows, the model, what others measured on them, and the replays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

# Over all 45,312 rows, a row at a time: https://github.com/online-ml/river, docs/benchmarks/Binary classification.
RIVER = (
    ("last class", 0.853, 0.827),
    ("naive Bayes", 0.729, 0.604),
    ("Hoeffding tree", 0.796, 0.751),
    ("logistic regression", 0.822, 0.777),
    ("ADWIN bagging", 0.824, 0.777),
    ("k-NN", 0.853, 0.824),
    ("adaptive random forest", 0.877, 0.852),
    ("leveraging bagging", 0.893, 0.872),
    ("ALMA", 0.906, 0.890),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Rows with a time and a label.

    Parameters
    ----------
    table
        The statement that makes the table ``rows`` with the columns ``at`` and ``label``, of the file ``FILE``.
    begin
        The first time that is asked about; the rows before are history.
    after
        When a label comes.
    window
        What the monitor measures at a time.
    """

    name: str
    about: str
    file: Path
    table: str
    label: str
    begin: str
    after: str
    window: str


ELEC2 = Stream(
    name="elec2",
    about="45,312 half-hours, whether the price goes up; labels come 30 minutes later, two weeks are history.",
    file=DATA / "elec2" / "elec2.parquet",
    table="""
CREATE TABLE rows AS
SELECT
    TIMESTAMP '1996-05-07' + to_minutes(30 * file_row_number) AS at,
    * EXCLUDE (file_row_number, "date"),
    lag(class) OVER w AS class_before,
    lag(class, 2) OVER w AS class_two_before,
    lag(class, 48) OVER w AS class_a_day_before,
    lag(nswprice) OVER w AS price_before
FROM read_parquet('FILE', file_row_number = true)
WINDOW w AS (ORDER BY file_row_number);
""",
    label="class",
    begin="1996-05-21",
    after="30 minutes",
    window="28 days",
)

NOAA = Stream(
    name="noaa_weather",
    about="18,159 days in Bellevue, Nebraska, whether it rains; labels come a day later, the first year is history.",
    file=DATA / "noaa_weather" / "weather.csv",
    # The file has no dates: a row a day from the first day of its fifty years.
    table="""
CREATE TABLE rows AS
SELECT TIMESTAMP '1949-01-01' + to_days((row_number() OVER ())::INTEGER - 1) AS at, * REPLACE (target = 1 AS target)
FROM read_csv('FILE');
""",
    label="target",
    begin="1950-01-01",
    after="1 day",
    window="364 days",
)

MODEL = """
CREATE OR REPLACE MODEL answers OPTIONS (
    model_type = 'LOGISTIC_REG', input_label_cols = ['LABEL'], data_split_method = 'SPLIT', train_time_col = 'at'
) AS SELECT * FROM rows WHERE ONLY;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One replay of a stream.

    Parameters
    ----------
    every
        How often a version is trained; '' for never.
    of
        What it is trained on, as TRAIN_WINDOW says it.
    only
        A condition of the rows that train.
    until
        Rows from then on are left out; '' for none.
    at_once
        Versions take over with neither gates nor rollout, and nothing is held out of their rows.
    """

    name: str
    about: str
    stream: Stream
    every: str
    of: str = "all"
    only: str = "true"
    until: str = ""
    at_once: bool = True

    @property
    def asked(self) -> str:
        """All that its figures depend on, as text."""
        one = self.stream
        asked = (self.every, self.until, self.at_once, one.begin, one.after, one.window, self.statements(Path("FILE")))
        return " | ".join(map(str, asked))

    def statements(self, file: Path) -> str:
        """Of the table and the model."""
        split = f"{'NO_SPLIT' if self.at_once else 'RANDOM'}', train_window = '{self.of}"
        model = MODEL.replace("LABEL", self.stream.label).replace("SPLIT", split).replace("ONLY", self.only)
        return self.stream.table.replace("FILE", str(file)) + model


_90 = "last 90 days"

REPLAYS = (
    Replay(name="elec2-daily", about="daily, of the last 90 days", stream=ELEC2, every="1 day", of=_90),
    Replay(name="elec2-weekly", about="every 7 days, of the last 90 days", stream=ELEC2, every="7 days", of=_90),
    Replay(name="elec2-weekly-all", about="every 7 days, of all rows so far", stream=ELEC2, every="7 days"),
    Replay(
        name="elec2-gated",
        about="every 7 days, of the last 90 days, through the gates",
        stream=ELEC2,
        every="7 days",
        of=_90,
        at_once=False,
    ),
    Replay(name="noaa-monthly", about="every 30 days, of all rows so far", stream=NOAA, every="30 days"),
    Replay(
        name="noaa-daily",
        about="daily, of all rows so far, the first year",
        stream=NOAA,
        every="1 day",
        until="1951-01-01",
    ),
    Replay(
        name="noaa-window",
        about="every 90 days, of the last five years",
        stream=NOAA,
        every="90 days",
        of="last 1825 days",
    ),
    Replay(
        name="noaa-clean",
        about="every 90 days, of all rows so far but two mistakes",
        stream=NOAA,
        every="90 days",
        only="feat_3 < 2000",
    ),
)
