"""One OpenLineage event as plain data: events, runs, jobs, datasets and their facets.

References
----------
The specification, version 2-0-2: https://openlineage.io/docs/spec/object-model
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tidemill.core.version import VERSION

PRODUCER = f"https://pypi.org/project/tidemill/{VERSION}"
EVENT_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"

EventType = Literal["START", "COMPLETE", "FAIL", "ABORT"]

FACETS: Mapping[str, str] = {
    "columnLineage": "1-2-0/ColumnLineageDatasetFacet",
    "dataQualityAssertions": "1-1-0/DataQualityAssertionsDatasetFacet",
    "datasetType": "1-0-1/DatasetTypeDatasetFacet",
    "documentation": "1-1-0/DocumentationDatasetFacet",
    "errorMessage": "1-0-1/ErrorMessageRunFacet",
    "jobType": "2-0-4/JobTypeJobFacet",
    "lifecycleStateChange": "1-0-1/LifecycleStateChangeDatasetFacet",
    "outputStatistics": "1-0-2/OutputStatisticsOutputDatasetFacet",
    "parent": "1-2-0/ParentRunFacet",
    "processing_engine": "1-1-1/ProcessingEngineRunFacet",
    "schema": "1-2-0/SchemaDatasetFacet",
    "sql": "1-1-0/SQLJobFacet",
    "test": "1-0-1/TestRunFacet",
    "version": "1-0-1/DatasetVersionDatasetFacet",
}
"""The facets that are sent, each with the version and name of its schema."""

OWN_FACETS: Mapping[str, str] = {
    "tidemill_run": "RunFacet",
    "tidemill_model": "DatasetFacet",
}
"""Facets of our own, each with the general schema that it keeps."""


def facet(name: str, /, **facts: Any) -> dict[str, Any]:
    """One facet, as the value under its name; facts that are None are left out."""
    if name in OWN_FACETS:
        schema = f"https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/{OWN_FACETS[name]}"
    else:
        version, _, kind = FACETS[name].partition("/")
        schema = f"https://openlineage.io/spec/facets/{version}/{kind}.json#/$defs/{kind}"
    said = {key: value for key, value in facts.items() if value is not None}
    return {"_producer": PRODUCER, "_schemaURL": schema, **said}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Something that is read or written. ``side`` holds the facets of this reading or this writing."""

    namespace: str
    name: str
    facets: Mapping[str, Any] = field(default_factory=dict)
    side: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self, side: Literal["inputFacets", "outputFacets"]) -> dict[str, Any]:
        """The dataset as an input or as an output."""
        return {"namespace": self.namespace, "name": self.name, "facets": dict(self.facets), side: dict(self.side)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOf:
    """A run of a job: the same in all events of that run."""

    run_id: str
    namespace: str
    job: str
    run_facets: Mapping[str, Any] = field(default_factory=dict)
    job_facets: Mapping[str, Any] = field(default_factory=dict)

    @property
    def as_parent(self) -> dict[str, Any]:
        """The facet that names this run as the one that another is part of."""
        return facet("parent", run={"runId": self.run_id}, job={"namespace": self.namespace, "name": self.job})


def run_event(
    kind: EventType,
    at: datetime,
    run: RunOf,
    *,
    inputs: Sequence[Dataset] = (),
    outputs: Sequence[Dataset] = (),
    facets: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """One event.

    Parameters
    ----------
    at
        When it happened, with its zone.
    facets
        Facets of the run that only this event has, such as the error.
    """
    return {
        "eventType": kind,
        "eventTime": at.isoformat(),
        "producer": PRODUCER,
        "schemaURL": EVENT_SCHEMA,
        "run": {"runId": run.run_id, "facets": {**run.run_facets, **(facets or {})}},
        "job": {"namespace": run.namespace, "name": run.job, "facets": dict(run.job_facets)},
        "inputs": [dataset.as_json("inputFacets") for dataset in inputs],
        "outputs": [dataset.as_json("outputFacets") for dataset in outputs],
    }
