"""Carries out what was asked for: the model and what it reads are built as any run builds them, then deployed as any.

One process at a time does it. What a killed one left is taken up by the next: the run's own steps are resumed, and a
version that was trained is not trained again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tidemill.core.errors import GateError, NotFoundError, TidemillError, TransientError
from tidemill.runner.deploy import deploy, deployment_of
from tidemill.runner.pace import slow_stage
from tidemill.runner.report import RunReport
from tidemill.runner.retrain.ask import ask_stale
from tidemill.runner.retrain.policy import hindrance, occupied
from tidemill.serving.machine import KEPT_OUT
from tidemill.warehouse.control.database import Tx
from tidemill.warehouse.control.deployments import DeployedVersion, Deployment, deployed_versions, get_deployment
from tidemill.warehouse.control.holders import this_process
from tidemill.warehouse.control.leases import Lease, held, require
from tidemill.warehouse.control.models import get_version
from tidemill.warehouse.control.retrain import (
    RetrainRequest,
    begin_request,
    end_request,
    list_requests,
    note_version,
    open_requests,
    put_back,
)

if TYPE_CHECKING:
    from tidemill.runner.stations import Stations

LEASE = "retrain"
MOST_TRIES = 5
"""A request whose process is killed, or that meets what may pass, this often has failed."""
RUN_WAIT_S = 3600.0
"""How long to wait for another run of the project to end."""
FIRST_PAUSE = timedelta(minutes=1)

RunModel = Callable[[str], RunReport]
"""Builds a model and what it reads, with the assertions about that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrained:
    """What became of a request in a pass."""

    request: RetrainRequest
    error: TidemillError | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        one = self.request
        return {
            "request": one.number,
            "deployment": one.deployment,
            "causes": list(one.causes),
            "status": one.status,
            "said": one.said,
            "not_before": None if one.not_before is None else one.not_before.isoformat(),
            "run_id": one.run_id,
            "champion": one.champion,
            "version": one.version,
            "error": None if self.error is None else self.error.as_json(),
        }


def carry_out_due(
    stations: Stations, run_model: RunModel, *, only: int | None = None, listen: Callable[[str], None] = lambda _: None
) -> list[Retrained]:
    """Carry out every request that may be; those that may not say what they wait for.

    Parameters
    ----------
    only
        The number of the one request that is looked at.

    Raises
    ------
    BusyError
        Another process is at it.
    """
    with held(stations.db, LEASE, this_process()) as lease:
        if only is None:
            ask_stale(stations)
        carrier = _Carrier(stations=stations, run_model=run_model, lease=lease, listen=listen)
        return [carrier.look(one) for one in open_requests(stations.db) if only is None or one.number == only]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Carrier:
    stations: Stations
    run_model: RunModel
    lease: Lease
    listen: Callable[[str], None]

    def look(self, request: RetrainRequest) -> Retrained:
        """Carry out one request, or say what it waits for. What is wrong with one keeps no other from its turn."""
        try:
            return self._look(request)
        except NotFoundError as error:  # its deployment or its model is gone
            return self._end(request, status="failed", said=error.message, error=error)

    def _look(self, request: RetrainRequest) -> Retrained:
        db = self.stations.db
        settings = deployment_of(self.stations, request.deployment)
        deployment = get_deployment(db, request.deployment)
        if request.status == "running":  # its process is gone: this one holds the lease
            if request.version is not None and request.version in (deployment.champion, deployment.challenger):
                return self._end(request, status="done", said=_entered(deployment, request.version))
            if request.attempt >= MOST_TRIES:
                return self._end(request, status="failed", said=f"its process was killed {request.attempt} times")
        wait = hindrance(
            request,
            list_requests(db, request.deployment),
            settings=settings.retrain,
            deployment=deployment,
            versions=deployed_versions(db, request.deployment),
            now=self.stations.clock.now(),
        )
        if wait is not None:
            slow = slow_stage(db, settings, deployment, self.stations.clock.now())
            said = f"{wait.why}: {slow}" if slow else wait.why
            return Retrained(request=put_back(db, request.number, said=said, not_before=wait.until))
        with self._writing() as tx:
            begun = begin_request(tx, request.number, champion=deployment.champion)
        self.listen(f"{request.deployment}: training {request.model}")
        try:
            return self._carry_out(begun)
        except TransientError as error:
            if begun.attempt >= MOST_TRIES:
                return self._end(begun, status="failed", said=error.message, error=error)
            until = self.stations.clock.now() + FIRST_PAUSE * 2**begun.attempt
            with self._writing() as tx:
                return Retrained(request=put_back(tx, begun.number, said=error.message, not_before=until), error=error)
        except TidemillError as error:
            return self._end(begun, status="failed", said=error.message, error=error)

    def _carry_out(self, request: RetrainRequest) -> Retrained:
        report = self.run_model(request.model)
        wrong = [step for step in report.steps if step.status in ("failed", "skipped")]
        if wrong:
            error = next((step.error for step in wrong if step.error is not None), None)
            if isinstance(error, TransientError):
                raise error
            failed = ", ".join(step.asset for step in wrong if step.status == "failed")
            return self._end(
                request, status="failed", said=f"failed: {failed}", run_id=report.run_id or None, error=error
            )
        return self._deploy(request, report.run_id or None)

    def _deploy(self, request: RetrainRequest, run_id: str | None) -> Retrained:
        db = self.stations.db
        newest = get_version(db, request.model)
        said = self._nothing_new(request, newest.version, newest.digest)
        if said:
            return self._end(request, status="unchanged", said=said, run_id=run_id)
        # Somebody may have deployed or taken back while this trained: their version is not pushed aside.
        busy = occupied(get_deployment(db, request.deployment), self.stations.clock.now())
        if busy is not None:
            with self._writing() as tx:
                return Retrained(request=put_back(tx, request.number, said=busy.why, not_before=busy.until))
        with self._writing() as tx:
            note_version(tx, request.number, run_id=run_id, version=newest.version)
        self.listen(f"{request.deployment}: asking the gates about version {newest.version}")
        why = f"request {request.number}: {', '.join(request.causes)}"
        try:
            made = deploy(self.stations, request.deployment, version=newest.version, who="retrain", why=why)
        except GateError as error:
            # What was asked for was done; that the gates stand in the way is an answer, not a failure of the command.
            return self._end(request, status="refused", said=error.message)
        return self._end(request, status="done", said=_entered(made.deployment, newest.version))

    def _nothing_new(self, request: RetrainRequest, version: int, digest: str) -> str:
        """Why the newest version is not tried; '' when it is."""
        db = self.stations.db
        now = get_deployment(db, request.deployment)
        if version == now.champion:
            return f"nothing new to learn from: version {version} is of the same rows"
        if now.champion is not None and get_version(db, request.model, now.champion).digest == digest:
            return f"nothing new learnt: version {version} is the champion's bytes"
        tried = [one for one in deployed_versions(db, request.deployment).values() if one.state != "candidate"]
        for one in tried:
            if one.version == version:
                return f"nothing new to learn from: version {version}, of the same rows, was {_past(one)}"
        same = next((one for one in reversed(tried) if one.digest == digest and one.state in KEPT_OUT), None)
        if same is None:
            return ""
        return f"nothing new learnt: version {version} is the bytes of version {same.version}, which was {_past(same)}"

    def _end(
        self,
        request: RetrainRequest,
        *,
        status: str,
        said: str,
        run_id: str | None = None,
        error: TidemillError | None = None,
    ) -> Retrained:
        told = None if error is None else error.as_json()
        with self._writing() as tx:
            ended = end_request(tx, request.number, status=status, said=said, run_id=run_id, error=told)
        return Retrained(request=ended, error=error)

    @contextmanager
    def _writing(self) -> Iterator[Tx]:
        """A transaction that fails once another process has taken over."""
        with self.stations.db.write() as tx:
            require(tx, self.lease)
            yield tx


def _entered(deployment: Deployment, version: int) -> str:
    if deployment.challenger == version:
        trial = "in the shadow" if deployment.stage == "shadow" else f"at {100 * deployment.share:.3g} % of the traffic"
        return f"version {version} is on trial, {trial}"
    return f"version {version} is champion"


def _past(one: DeployedVersion) -> str:
    return one.state.replace("_", " ")


def selectors_of(model: str, closure: Sequence[str], assertions: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """The model, and the assertions about what it reads: a run of a model alone would leave them out.

    Parameters
    ----------
    closure
        The model and all it is built from, by key.
    assertions
        Each assertion's name, and the keys of the assets that it reads.
    """
    known = set(closure)
    return [model, *(name for name, reads in assertions if reads and known.issuperset(reads))]
