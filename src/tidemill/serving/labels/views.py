"""What follows from the log's two tables, as system tables: ``tidemill.labels``, ``tidemill.outcomes`` and others."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tidemill.serving.labels.joined import labels_sql, outcomes_sql, parked_sql, revisions_sql
from tidemill.serving.labels.maturity import delays_sql
from tidemill.warehouse.protocol import DerivedView

_LOG = ("received_labels", "predictions")
"""Labels first: none is seen whose answer was there and is not."""

_DELAYS_SQL = f"""
SELECT deployment, age_s, arrived, at_risk, share, recent_share, completeness FROM ({delays_sql()})
""".strip()

_MATURITY_SQL = f"""
SELECT deployment, any_value(coverage) AS coverage, any_value(settled) AS settled, max(age_s) AS oldest_s,
       sum(arrived)::BIGINT AS labelled, min(age_s) FILTER (completeness >= 0.5) AS after_50_s,
       min(age_s) FILTER (completeness >= 0.9) AS after_90_s, min(age_s) FILTER (completeness >= 0.95) AS after_95_s,
       min(age_s) FILTER (completeness >= 0.99) AS after_99_s
FROM ({delays_sql()}) GROUP BY deployment
""".strip()

LABEL_VIEWS: Mapping[str, DerivedView] = MappingProxyType(
    {
        "label_revisions": DerivedView(reads=("received_labels",), sql=revisions_sql()),
        "labels": DerivedView(reads=("received_labels",), sql=labels_sql()),
        "outcomes": DerivedView(reads=_LOG, sql=outcomes_sql()),
        "parked_labels": DerivedView(reads=_LOG, sql=parked_sql()),
        "label_delays": DerivedView(reads=_LOG, sql=_DELAYS_SQL),
        "label_maturity": DerivedView(reads=_LOG, sql=_MATURITY_SQL),
    }
)
