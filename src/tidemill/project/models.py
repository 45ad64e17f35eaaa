"""Models and their versions: what is known of them, what they answer for a batch, and which of them stay."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from tidemill.core.who import current_user
from tidemill.project.opened import Opened

if TYPE_CHECKING:
    import pyarrow as pa

    from tidemill.registry.compare import Comparison
    from tidemill.registry.describe import Description
    from tidemill.registry.retention import Verdict
    from tidemill.runner.backtest.report import BacktestReport
    from tidemill.runner.backtest.walk import Asked
    from tidemill.runner.batch.request import BatchReport, BatchRequest
    from tidemill.runner.estimate import EstimateReport, EstimateRequest
    from tidemill.runner.model import Model
    from tidemill.training.result import TrainedModel
    from tidemill.warehouse.control.models import Model as ModelRow
    from tidemill.warehouse.control.models import ModelVersion


class Models(Opened):
    """What a project can be asked about its models."""

    def models(self) -> list[ModelRow]:
        """Every model that is not dropped."""
        from tidemill.warehouse.control.models import list_models

        return list_models(self.db)

    def model(self, name: str, version: int | str | None = None) -> Model:
        """A registered model: its newest version, or the one of a number or an alias."""
        from tidemill.runner.model import Model

        return Model(self.stations, self.stations.load_model(name, version))

    def describe(self, model: str, version: int | str | None = None) -> Description:
        """Everything that is recorded of a version, by number or alias."""
        from tidemill.registry.describe import describe_version

        return describe_version(self.db, self.store, model, version)

    def compare(self, model: str, old: int | str, new: int | str, *, confidence: float = 0.95) -> Comparison:
        """What changed between two versions, and which decisions flip on the same rows."""
        from tidemill.runner.compare import compare_versions

        return compare_versions(self.stations, model, old, new, confidence=confidence)

    def card(self, model: str, version: int | str | None = None, *, html: bool = False) -> str:
        """The model card of a version, as Markdown or as one HTML page."""
        from tidemill.runner.card import write_card

        return write_card(self.stations, model, version, html=html)

    def held_out(self, name: str, version: int | None = None) -> pa.Table:
        """The rows a version was judged on, as they were: the columns of its query, with the label.

        Raises
        ------
        StateError
            They cannot be read again: what they came from is gone or has changed.
        """
        from tidemill.runner.held_out import held_out_rows
        from tidemill.warehouse.control.models import get_version

        return held_out_rows(self.stations, get_version(self.db, name, version)).table

    def retrain(self, model: str, version: int | str | None = None) -> tuple[ModelVersion, TrainedModel]:
        """Train a version again from what it read; nothing is registered."""
        from tidemill.registry.aliases import resolve
        from tidemill.runner.pinned import retrain

        found = resolve(self.db, model, version)
        return found, retrain(self.stations, found)

    def set_alias(self, model: str, alias: str, version: int | str, *, why: str = "") -> ModelVersion:
        """Give a version a name."""
        from tidemill.registry.aliases import set_alias

        return set_alias(self.db, model, alias, version, who=current_user(), why=why)

    def remove_alias(self, model: str, alias: str, *, why: str = "") -> int:
        """Take an alias away; the version it named."""
        from tidemill.registry.aliases import remove_alias

        return remove_alias(self.db, model, alias, who=current_user(), why=why)

    def prune(
        self, model: str | None = None, *, keep: int, days: int = 0, apply: bool = False, why: str = ""
    ) -> list[Verdict]:
        """What becomes of each version when only the newest, the young and the used stay; done when asked to."""
        from tidemill.registry import retention

        age = timedelta(days=days)
        found = retention.verdicts(self.db, model, keep=keep, older_than=age)
        if apply:
            retention.prune(self.db, model, keep=keep, older_than=age, who=current_user(), why=why)
        return found

    def predict(
        self, request: BatchRequest, *, listen: Callable[[int, int], None] = lambda _rows, _chunk: None
    ) -> BatchReport:
        """Score a batch to a table or a file, or go on with one that was interrupted.

        Parameters
        ----------
        listen
            Told after each chunk how many rows are scored, and the chunk's number.
        """
        from tidemill.runner.batch.job import predict

        return predict(self.stations, request, listen=listen)

    def estimate(self, request: EstimateRequest, *, listen: Callable[[str], None] = lambda _: None) -> EstimateReport:
        """The quality that is to be expected of a version on rows without labels."""
        from tidemill.runner.estimate import estimate

        return estimate(self.stations, request, listen=listen)

    def backtest(self, asked: Asked, *, listen: Callable[[str], None] = lambda _: None) -> BacktestReport:
        """Train a model at moments of the past on what was known then, and test it on what came after.

        Nothing is registered, and the lake is only read; the figures are kept as rows of ``tidemill.backtests``.

        Raises
        ------
        NotFoundError
            No statement makes such a model.
        """
        from tidemill.runner.backtest.keep import backtest_and_keep

        return backtest_and_keep(self.stations, self.statements, asked, listen=listen)
