"""Loads versions for serving, from their digest-checked files, and refuses those that do not answer as they did."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidemill.core.errors import CorruptError
from tidemill.registry.store import ArtifactStore
from tidemill.registry.versions import load
from tidemill.serving.board import SCORE_BINS
from tidemill.serving.online.model import OnlineModel
from tidemill.serving.online.transformed import OpenTransform
from tidemill.training.artifact import EVALUATION
from tidemill.warehouse.control.database import Database

if TYPE_CHECKING:
    import numpy as np

TOLERANCE = 1e-5
"""How far an answer may be from the one that training gave, relative to the largest."""

_MOST_SCORES = 100_000
_MOST_BYTES = 64 << 20
"""Of a million rows, labels and scores take a quarter of it: what unpacks to more is none of ours."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A version that answers, and where the bins of a histogram of its scores meet."""

    model: OnlineModel
    score_edges: tuple[float, ...]


def load_version(
    db: Database, store: ArtifactStore, name: str, version: int, *, transform: OpenTransform | None
) -> Loaded:
    """Load one version, and let it answer the sample rows it was trained with.

    Parameters
    ----------
    transform
        Opens the engine for a TRANSFORM that the graph cannot say: only such a model pays for it.

    Raises
    ------
    NotFoundError
        There is no such version.
    CorruptError
        A file is not what was written, or the version gives other answers here than in training.
    """
    found = load(db, store, name, version)
    model = OnlineModel.open(
        found.files, name=found.name, version=found.version, digest=found.digest, transform=transform
    )
    away = model.check_golden()
    if away is not None and not away <= TOLERANCE:
        raise CorruptError(
            f"{found.name} version {found.version} answers its sample rows up to {away:.3g} away from training",
            hint="the libraries here differ from those it was trained with: tidemill models NAME VERSION lists them; "
            "install those, or train it again",
            model=found.name,
            version=found.version,
            difference=away,
        )
    return Loaded(model, score_edges(found.files, classes=len(model.classes)))


def score_edges(files: Mapping[str, bytes], *, classes: int) -> tuple[float, ...]:
    """Where the bins of a histogram of scores meet: evenly over [0, 1], or over the range that training saw.

    Even bins, not quantiles: a version that says 0.002 where the champion said 0.001 decides nothing otherwise.
    """
    import numpy as np

    if classes:
        low, high = 0.0, 1.0
    else:
        scores = _scores(files[EVALUATION])
        low, high = np.quantile(scores, (0.005, 0.995)).tolist() if len(scores) else (0.0, 0.0)
    step = (high - low) / SCORE_BINS
    return tuple(low + step * edge for edge in range(1, SCORE_BINS)) if step > 0 else (low,)


def _scores(data: bytes) -> np.ndarray:
    """The scores that training kept, once it is known how large they are."""
    import numpy as np

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(one.file_size for one in archive.infolist())
        if size > _MOST_BYTES:
            raise CorruptError(f"{EVALUATION} unpacks to {size >> 20} MiB", hint="train the model again")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            found: np.ndarray = arrays["scores"][:_MOST_SCORES]
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError) as error:
        raise CorruptError(f"{EVALUATION} cannot be read: {error}", hint="train the model again") from error
    return found
