"""What a model type is: a row of facts, and a function that fits one.

A row (`ModelType`) is plain data: the binder validates options with it, the docs are generated from it, and the tests
are generated from it. A supported type also has ``fit``, which imports its heavy packages when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np

Status = Literal["supported", "partial", "rejected"]
Task = Literal["regression", "classification", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One name a user may set in OPTIONS(...) or in a STRUCT of settings.

    Parameters
    ----------
    kind
        ``int``, ``float``, ``bool``, ``str``, ``enum``, ``strings`` (array of strings), ``ints``, ``weights`` (array of
        (class, weight) structs), ``any``.
    default
        The value when it is not given; None when it has none or is derived (``doc`` says how).
    low, high, low_open, high_open
        Numeric bounds, closed unless said to be open.
    choices
        Allowed values of an enum, upper-case; words that a float may be instead of a number.
    aliases
        Other accepted names, upper-case.
    status, reason
        ``supported``; ``partial`` (accepted, recorded, ignored; the reason says what is ignored and why);
        ``rejected`` (refused with the reason).
    hparam
        May be given as HPARAM_RANGE / HPARAM_CANDIDATES in BigQuery ML.
    """

    name: str
    kind: str
    default: Any = None
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    required: bool = False
    status: Status = "supported"
    reason: str = ""
    doc: str = ""
    hparam: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionRule:
    """Something options must hold together; told to the user with ``message`` when ``broken`` says so.

    Parameters
    ----------
    option
        The option the message points at, upper-case; where several were given, the one to take out.
    message, hint
        What contradicts, and what to do.
    broken
        Called with the checked values (lower-case names, defaults filled in) and the names that were given.
    refuses
        True: an OptionError. False: a note, because the option is ignored and harmless.
    """

    option: str
    message: str
    broken: Callable[[Mapping[str, Any], frozenset[str]], bool]
    hint: str = ""
    refuses: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What the label is: its column, its task, and for classifiers its classes in ascending order.

    ``classes`` holds the label values as plain Python values (str, int, float, bool); the positive class of a binary
    classifier is the last one. Empty for regression.
    """

    column: str
    classes: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FitData:
    """Encoded rows handed to a model type.

    Parameters
    ----------
    x, x_eval
        Features, shape (n, width), C order; float64 for linear models, float32 for trees. ``x_eval`` has zero rows
        when there is no evaluation split.
    y, y_eval
        Regression: the label, float64, shape (n,). Classification: the class index, int64, shape (n,).
    weight, weight_eval
        Weight per row, float64, shape (n,), or None when all rows weigh the same.
    names
        Encoded feature names, one per column of ``x``.
    groups
        For each encoded column, the ordinal of the raw feature it belongs to.
    """

    x: np.ndarray
    y: np.ndarray
    x_eval: np.ndarray
    y_eval: np.ndarray
    labels: Labels
    names: Sequence[str]
    groups: Sequence[int]
    weight: np.ndarray | None = None
    weight_eval: np.ndarray | None = None
    cardinality: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Iteration:
    """One row of ML.TRAINING_INFO."""

    iteration: int
    loss: float | None
    eval_loss: float | None
    learning_rate: float | None
    duration_ms: int


class Fitted(Protocol):
    """A trained estimator over the encoded matrix."""

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Regression: shape (n,), the prediction. Classification: shape (n, classes), probabilities, float64."""

    def contributions(self, x: np.ndarray) -> np.ndarray:
        """What each encoded column adds to the margin, and last the baseline: (n, [classes,] width + 1)."""

    def files(self) -> dict[str, bytes]:
        """The native form, by file name (``booster.json``, ``weights.npz``); never pickle."""

    def onnx_nodes(self, builder: Any, x: str) -> tuple[str, str]:
        """Append nodes that turn the encoded float matrix ``x`` into (prediction or class index, probabilities)."""

    def info(self) -> dict[str, Any]:
        """Plain JSON data that ML.WEIGHTS, ML.FEATURE_IMPORTANCE and friends read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where gradient descent begins: weights, shape (width, outputs), and intercepts, shape (outputs,)."""

    w: np.ndarray
    b: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRequest:
    """Everything a fit may depend on, so that the same request gives the same bytes.

    ``start`` (WARM_START) holds the weights of the version before; None begins at zero.
    """

    data: FitData
    options: Mapping[str, Any]
    seed: int
    threads: int
    start: Start | None = None
    progress: Callable[[Iteration], None] = field(default=lambda _: None)


class FitFn(Protocol):
    """Fit one model; returns it and the rows of ML.TRAINING_INFO."""

    def __call__(self, request: FitRequest) -> tuple[Fitted, list[Iteration]]:
        """Fit."""


class LoadFn(Protocol):
    """Read a fitted model back from its files (whose digests were checked before)."""

    def __call__(self, files: Mapping[str, bytes], info: Mapping[str, Any]) -> Fitted:
        """Load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelType:
    """One row of the table of model types.

    Parameters
    ----------
    version
        The algorithm's own version: part of the fingerprint, raised when the same data would give another model.
    encoding
        How the automatic preprocessing encodes features: ``linear`` (standardised numbers, one-hot categories,
        float64) or ``tree`` (numbers as they are, label-encoded categories, float32).
    functions
        Names of the ML functions that take this type.
    rules
        What its options must hold together.
    fit, load
        None for a type that is not supported.
    imports
        Modules that a fit imports and that take seconds to: training begins with them while it waits for rows.
    """

    name: str
    task: Task
    doc: str
    url: str
    options: tuple[Option, ...]
    functions: tuple[str, ...] = ()
    rules: tuple[OptionRule, ...] = ()
    status: Status = "supported"
    reason: str = ""
    version: int = 1
    encoding: Literal["linear", "tree", "none"] = "none"
    aliases: tuple[str, ...] = ()
    fit: FitFn | None = None
    load: LoadFn | None = None
    imports: tuple[str, ...] = ()
