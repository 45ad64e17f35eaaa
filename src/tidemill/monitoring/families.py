"""The kinds of trouble a deployment can have: what wakes somebody up, what explains it, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One kind of trouble.

    Parameters
    ----------
    table
        Where its measurements are kept: ``tidemill.drift`` or ``tidemill.performance``.
    pages
        Whether it may send an alert by itself. What does not is diagnosis: it is shown beside the alerts it explains.
    next_step
        What a person who is told does first.
    first_step
        The same where a model's first version answered, if that is something else.
    """

    name: str
    table: Literal["drift", "performance"]
    pages: bool
    doc: str
    next_step: str
    first_step: str = ""


FAMILIES: tuple[Family, ...] = (
    Family(
        name="contract",
        table="drift",
        pages=True,
        doc="Inputs that the model's signature or the contract of its tables does not allow.",
        next_step="look at the rows, and at the table or client they come from",
    ),
    Family(
        name="missing",
        table="drift",
        pages=True,
        doc="A feature has more or fewer values missing than at training.",
        next_step="ask whoever fills the column; predictions go on with the value the model takes for missing ones",
    ),
    Family(
        name="new_category",
        table="drift",
        pages=True,
        doc="Texts that training never saw.",
        next_step="see whether they are new things or new spellings; retrain once they have labels",
    ),
    Family(
        name="feature",
        table="drift",
        pages=False,
        doc="A feature's values are distributed otherwise than in the reference.",
        next_step="compare the two distributions; it matters as far as predictions or quality moved too",
    ),
    Family(
        name="prediction",
        table="drift",
        pages=True,
        doc="The predictions are distributed otherwise than in the reference.",
        next_step="see which features moved, the most important first",
    ),
    Family(
        name="quality",
        table="performance",
        pages=True,
        doc="Predictions whose labels have arrived are worse than on the held-out rows.",
        next_step="see which slices lost most; consider going back to an earlier version, or retraining",
        first_step="see which slices lost most; consider retraining",
    ),
    Family(
        name="estimate",
        table="performance",
        pages=True,
        doc="Quality as estimated without labels is worse than on the held-out rows.",
        next_step="see which features moved; have some of these predictions labelled",
    ),
    Family(
        name="calibration",
        table="performance",
        pages=False,
        doc="Probabilities say something else than what came true.",
        next_step="where decisions hang on the probabilities, retrain",
    ),
    Family(
        name="staleness",
        table="performance",
        pages=False,
        doc="The model's training data is older than it should be.",
        next_step="retrain, or raise the age that is allowed",
    ),
    Family(
        name="latency",
        table="performance",
        pages=True,
        doc="Answers take longer than they should.",
        next_step="look at the load and at the server's metrics",
    ),
    Family(
        name="errors",
        table="performance",
        pages=True,
        doc="Requests that were not answered, were answered by the fallback, or were refused for their rows.",
        next_step="look at the server's log; where rows are refused (refused_share), ask the client what it sends",
    ),
    Family(
        name="traffic",
        table="performance",
        pages=True,
        doc="Fewer or more requests than usual; none at all is not health.",
        next_step="ask whether the clients reach the server",
    ),
)
