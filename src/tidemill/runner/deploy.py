"""Deployments, steered by a person: deploy, promote, roll back, pause, resume. Servers watch what is written here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tidemill.core.errors import GateError, NotFoundError, SettingsError, StateError
from tidemill.core.names import asset_key, did_you_mean, name_key
from tidemill.core.sections import DeploymentSettings, declared_deployment, one_deployment
from tidemill.runner.metric_settings import require_metrics
from tidemill.serving import machine
from tidemill.serving.changes import apply_move
from tidemill.serving.log.texts import text_of
from tidemill.serving.machine import Move
from tidemill.warehouse.control.deployments import (
    DeployedVersion,
    Deployment,
    GateResult,
    add_deployment,
    deployed_versions,
    find_deployment,
    get_deployment,
    load_gates,
    save_gates,
)
from tidemill.warehouse.control.models import get_version, list_models

if TYPE_CHECKING:
    from tidemill.runner.stations import Stations

Versions = Mapping[int, DeployedVersion]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """What came of a deploy: the deployment after it, the version, and what the gates said."""

    deployment: Deployment
    version: int
    gates: tuple[GateResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every gate let the version pass."""
        return all(gate.status == "pass" for gate in self.gates)


def deployment_of(stations: Stations, name: str) -> DeploymentSettings:
    """The settings of a deployment: its section of tidemill.toml, or the defaults for a model of this name.

    Raises
    ------
    NotFoundError
        Neither a section nor a model has this name.
    """
    declared = declared_deployment(stations.settings.deployments, name)
    if declared is not None:
        return declared
    models = {name_key(model.name): model.name for model in list_models(stations.db)}
    if name_key(name) not in models:
        known = [*stations.settings.deployments, *models.values()]
        raise NotFoundError(
            f"there is no deployment and no model {name}",
            hint=did_you_mean(name, known)
            or "CREATE MODEL makes a model, [deployments.NAME] in tidemill.toml names it",
            deployment=name,
        )
    return one_deployment(models[name_key(name)], {})


def deploy(
    stations: Stations,
    name: str,
    *,
    version: int | None = None,
    who: str,
    why: str = "",
    override: str = "",
    gates_only: bool = False,
    listen: Callable[[str], None] = lambda _: None,
) -> Deployed:
    """Let a version through its gates, and begin its rollout.

    Parameters
    ----------
    version
        The model's newest when not given.
    why
        A reason for the audit trail; a version that was rolled back or refused needs one, and so does a deploy while
        the deployment cools down.
    override
        A reason to go on although a gate does not pass: it is kept with the version for good.
    gates_only
        Ask the gates, change nothing.

    Raises
    ------
    GateError
        A gate did not let it pass; the gates' results are kept.
    SettingsError
        The settings name a metric that says nothing of the model.
    StateError
        The version answers already, or needs a reason.
    """
    from tidemill.runner.gates import run_gates

    settings = deployment_of(stations, name)
    chosen = get_version(stations.db, settings.model, version)
    require_metrics([settings], {asset_key(settings.model): chosen.model_type})
    _check_fallback(stations, settings, chosen.version)
    champion = _register(stations, settings, chosen.version, who=who, why=why or override, write=not gates_only)
    gates = run_gates(
        stations,
        settings,
        model=settings.model,
        version=chosen.version,
        champion=champion,
        listen=listen,
    )
    failed = [gate for gate in gates if gate.status != "pass"]
    if gates_only:
        current = find_deployment(stations.db, settings.name) or Deployment(name=settings.name, model=settings.model)
        return Deployed(deployment=current, version=chosen.version, gates=tuple(gates))
    save_gates(stations.db, settings.name, chosen.version, gates, override=(who, override) if override else None)
    told = {"gates": {gate.gate: gate.status for gate in gates}}
    if failed and not override:
        summary = "; ".join(f"{gate.gate}: {gate.summary}" for gate in failed)
        _move(
            stations,
            settings.name,
            lambda now: machine.refuse(now, chosen.version),
            who=who,
            why=summary,
            evidence=told,
        )
        raise _refused(settings.name, chosen.version, failed)
    reason = f"gates overridden: {override}" if failed else why
    after = _move(
        stations,
        settings.name,
        lambda now: machine.begin(now, chosen.version, rollout=settings.rollout),
        who=who,
        why=reason,
        evidence=told | ({"overridden": [gate.gate for gate in failed]} if failed else {}),
    )
    return Deployed(deployment=after, version=chosen.version, gates=tuple(gates))


def gates_of(stations: Stations, name: str, version: int | None = None) -> list[GateResult]:
    """What the gates said of a version, at its last attempt."""
    settings = deployment_of(stations, name)
    return load_gates(stations.db, settings.name, get_version(stations.db, settings.model, version).version)


def promote(stations: Stations, name: str, *, who: str, why: str = "") -> Deployment:
    """Make the version on trial champion at once."""
    return _move(stations, name, machine.promote, who=who, why=why)


def roll_back(stations: Stations, name: str, *, who: str, why: str = "") -> Deployment:
    """Take the version on trial back; without one, let the champion before this one answer again."""
    cool_down = deployment_of(stations, name).rollout.cool_down_seconds
    now = stations.clock.now()
    return _move(stations, name, lambda it: machine.roll_back(it, now=now, cool_down_s=cool_down), who=who, why=why)


def pause(stations: Stations, name: str, *, traffic: bool, who: str, why: str = "") -> Deployment:
    """Let the rollout stand still; with ``traffic`` let no version answer at all: the fallback does."""
    if traffic:
        return _move(stations, name, lambda it: machine.stop(it, stopped=True), who=who, why=why)
    return _move(stations, name, lambda it: machine.hold(it, held=True), who=who, why=why)


def resume(stations: Stations, name: str, *, who: str, why: str = "") -> Deployment:
    """Take back every pause."""
    before = get_deployment(stations.db, name)
    if before.stopped:
        before = _move(stations, name, lambda it: machine.stop(it, stopped=False), who=who, why=why)
    if before.held:
        before = _move(stations, name, lambda it: machine.hold(it, held=False), who=who, why=why)
    return before


def _move(
    stations: Stations,
    name: str,
    make: Callable[[Deployment], Move],
    *,
    who: str,
    why: str,
    evidence: Mapping[str, object] | None = None,
) -> Deployment:
    def choose(now: Deployment, _: Versions) -> Move:
        return make(now)

    after = apply_move(stations.db, name, choose, who=who, why=why, evidence=evidence)
    return after or get_deployment(stations.db, name)


def _register(
    stations: Stations, settings: DeploymentSettings, version: int, *, who: str, why: str, write: bool
) -> int | None:
    """Note the version as a candidate; returns the champion it is held against."""
    with stations.db.write() as tx:
        found = find_deployment(tx, settings.name)
        if found is None and not write:
            return None
        deployment = found or add_deployment(tx, settings.name, settings.model)
        if name_key(deployment.model) != name_key(settings.model):
            raise StateError(
                f"deployment {settings.name} serves model {deployment.model}; tidemill.toml says {settings.model}",
                hint="give the other model a deployment of its own",
            )
        if not write:
            return deployment.champion if deployment.champion != version else deployment.previous
        _check_reason(stations, deployment, deployed_versions(tx, settings.name), version, why=why)
        if version in (deployment.champion, deployment.challenger):
            role = "champion" if version == deployment.champion else "challenger"
            raise StateError(
                f"version {version} is the {role} of {settings.name} already", hint="tidemill status shows how it does"
            )

        def candidate(now: Deployment, _: Versions) -> Move:
            return Move(action="deploy", after=now, states={version: "candidate"})

        apply_move(tx, settings.name, candidate, who=who, why=why)
        return deployment.champion


def _check_fallback(stations: Stations, settings: DeploymentSettings, version: int) -> None:
    """Refuse a fallback that no answer of the model could be."""
    fallback = settings.fallback
    if fallback is None:
        return
    label = stations.load_model(settings.model, version).manifest["label"]
    classes = list(map(text_of, label["classes"]))
    is_number = isinstance(fallback, int | float) and not isinstance(fallback, bool)
    if (text_of(fallback) not in classes) if classes else not is_number:
        takes = f"one of {', '.join(classes[:12])}" if classes else "a number"
        raise SettingsError(
            f"deployments.{settings.name}.fallback is {fallback!r}; {settings.model} answers {takes}",
            hint="change it in tidemill.toml, or take it out",
        )


def _check_reason(stations: Stations, deployment: Deployment, versions: Versions, version: int, *, why: str) -> None:
    state = versions[version].state if version in versions else ""
    if state in ("rolled_back", "refused") and not why:
        told = f"was {state.replace('_', ' ')}: {versions[version].reason}"
        raise StateError(
            f"version {version} of {deployment.name} {told}",
            hint="train a better one, or say why it should be tried again: --why REASON",
        )
    until = deployment.cool_down_until
    if until is not None and stations.clock.now() < until and not why:
        raise StateError(
            f"deployment {deployment.name} cools down after a rollback until {until:%Y-%m-%d %H:%M:%S} UTC",
            hint="wait, or say why it should not: --why REASON",
        )


def _refused(name: str, version: int, failed: Sequence[GateResult]) -> GateError:
    listed = ", ".join(f"{gate.gate} ({gate.status})" for gate in failed)
    return GateError(
        f"version {version} does not enter deployment {name}: {listed}",
        hint="train a better version, or go on with --override REASON, which stays with the version",
        gates={gate.gate: {"status": gate.status, "summary": gate.summary} for gate in failed},
    )
