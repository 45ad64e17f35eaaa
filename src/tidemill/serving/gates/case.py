"""What gates judge: arrays and facts about a version, collected by `runner.gates`.

A part that could not be collected is `Missing`, with the reason: gates that need it say "not enough evidence".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tidemill.core.sections import GateSettings
from tidemill.model_types.base import Labels

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Missing:
    """A part that there is no evidence of, and why: a sentence without its full stop."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The files of a version: what is wrong with which of them, and the size of all."""

    problems: tuple[str, ...]
    bytes: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a version asks of its callers, and what there is.

    Parameters
    ----------
    inputs
        Columns it reads, with their Arrow types as text.
    source
        The columns its training query gives on today's tables, the same way.
    broken
        Why the query no longer runs on them: a table or a column is gone.
    champion_inputs
        What the champion reads, which is what callers are known to send; None without a champion.
    label, champion_label
        The label's column.
    """

    inputs: Mapping[str, str]
    source: Mapping[str, str] | Missing
    label: str
    broken: str = ""
    champion_inputs: Mapping[str, str] | None = None
    champion_label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """How far answers are from each other, relative to the largest where that is above 1.

    Parameters
    ----------
    training_away
        The rows kept from training, answered then and here; None: none were kept.
    sql_away, rows
        That many held-out rows, answered by ML.PREDICT and by the server's code from JSON; None: not asked.
    sql_problem
        Why the server's code did not answer those rows.
    """

    training_away: float | None
    sql_away: float | None
    rows: int
    sql_problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Milliseconds that each of some one-row answers took, after a warm-up, and the machine they were taken on."""

    milliseconds: np.ndarray
    machine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Held-out rows with their labels and the version's scores.

    Parameters
    ----------
    y
        Class ordinals, or numbers for regression; shape (n,).
    scores
        Probabilities, shape (n, classes), or predictions, shape (n,).
    held_out
        False: training saw these rows, for nothing was held out.
    total
        How many held-out rows there are; fewer are scored where there are very many.
    columns
        Values of slice and group columns as text, by name; shape (n,).
    """

    labels: Labels
    y: np.ndarray
    scores: np.ndarray
    held_out: bool
    total: int
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leakage:
    """What was found that knows too much.

    Parameters
    ----------
    separation
        By input: how well it alone tells the classes apart, in [0.5, 1]; empty for regression.
    given_away
        Inputs that know the label, or together add up to it, and how they do.
    repeated
        How many of the held-out rows occur among the training rows, value for value; None where it cannot be told.
    expected_repeats
        Rows have no measured number among their values: equal rows are to be expected.
    late
        By time input: the share of rows in which it lies at or after the label's time.
    label_time_read
        The version reads the label's time itself.
    """

    separation: Mapping[str, float]
    given_away: tuple[tuple[tuple[str, ...], str], ...]
    rows: int
    repeated: int | None
    expected_repeats: bool
    late: Mapping[str, float] = field(default_factory=dict)
    label_time: str = ""
    label_time_read: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The rows two versions are compared on, and the champion's scores of them.

    Parameters
    ----------
    rows
        The rows with the candidate's scores: those it was judged on, or, where the champion reads columns that are not
        among them, the champion's own held-out rows less those that trained the candidate.
    scores
        The champion's, in the order of the candidate's classes.
    seen
        Which of the rows the champion was trained on; None where it cannot be told.
    keys
        What names each row in the report of changed answers: row numbers, or values of the deployment's key.
    trained
        How many of the rows the candidate was trained on.
    """

    version: int
    rows: Scored
    scores: np.ndarray
    seen: np.ndarray | None
    keys: np.ndarray
    trained: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything the gates judge a version by.

    Parameters
    ----------
    champion
        None where there is nothing to be held against.
    requested
        A request for retraining brought the version; nobody has looked at what it was trained on.
    steady
        Both versions on the champion's own held-out rows; None where that is not asked.
    answered
        Both on labelled answers of production; None where that is not asked.
    """

    settings: GateSettings
    files: Files
    contract: Contract | Missing
    golden: Golden | Missing
    timing: Timing | Missing
    scored: Scored | Missing
    leakage: Leakage | Missing
    champion: Champion | Missing | None
    requested: bool = False
    steady: Champion | Missing | None = None
    answered: Champion | Missing | None = None

    @property
    def metric(self) -> str:
        """The metric versions are compared by; '' while nothing is scored."""
        if self.settings.metric:
            return self.settings.metric
        if isinstance(self.scored, Missing):
            return ""
        return default_metric(self.scored.labels)


def default_metric(labels: Labels) -> str:
    """The metric that versions are compared by unless the settings name one."""
    if not labels.classes:
        return "mean_absolute_error"
    return "roc_auc" if len(labels.classes) == 2 else "accuracy"
