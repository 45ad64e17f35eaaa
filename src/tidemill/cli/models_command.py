"""tidemill models: what there is, how it was judged, and everything about one version."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from tidemill.cli import version_text
from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.output import plain, write_text
from tidemill.cli.parameters import argument, option
from tidemill.cli.words import duration
from tidemill.core.errors import NotFoundError, SettingsError
from tidemill.core.names import did_you_mean
from tidemill.project import Project
from tidemill.runner.result import text_table

STRUCTURES = ("options", "lineage", "warnings", "files")


class CardFormat(StrEnum):
    """How a model card is written."""

    md = "md"
    html = "html"


def models(
    name: Annotated[str | None, argument(about="Only this model; else all.")] = None,
    version: Annotated[str | None, argument(about="One version, by number or alias: all about it.")] = None,
    all_: Annotated[bool, option("--all", about="Every version, not only the current ones.")] = False,
    compare: Annotated[
        tuple[str, str] | None, option("--compare", about="Two versions: what changed, and which decisions flip.")
    ] = None,
    card: Annotated[CardFormat | None, option("--card", about="Write the version's model card.")] = None,
    output: Annotated[Path | None, option("--output", "-o", about="Write the card to this file.")] = None,
    alias: Annotated[str | None, option("--alias", about="ALIAS=VERSION: give a version a name.")] = None,
    remove_alias: Annotated[str | None, option("--remove-alias", about="Take an alias away.")] = None,
    retrain: Annotated[
        bool, option("--retrain", about="Train the version again from what it read, and compare the digests.")
    ] = False,
    prune: Annotated[bool, option("--prune", about="Say which versions the policy lets go.")] = False,
    keep: Annotated[int | None, option("--keep", least=1, about="Newest versions to keep, for --prune.")] = None,
    days: Annotated[int | None, option("--days", least=0, about="Younger versions stay too, for --prune.")] = None,
    yes: Annotated[bool, option("--yes", about="Do what --prune says.")] = False,
    why: Annotated[str, option("--why", about="The reason, for the audit trail.")] = "",
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Print the models with their metrics; with a version, all about it."""
    with entered(project) as opened:
        if prune:
            _prune(opened, name, keep=keep, days=days, yes=yes, why=why, as_json=as_json)
        elif name is None and any((version, compare, card, alias, remove_alias, retrain)):
            raise SettingsError("which model?", hint="tidemill models NAME ...")
        elif name is None or not any((version, compare, card, alias, remove_alias, retrain)):
            _list(opened, name, every=all_, as_json=as_json)
        elif alias is not None:
            _set_alias(opened, name, alias, why=why)
        elif remove_alias is not None:
            number = opened.remove_alias(name, remove_alias, why=why)
            print(f"alias {remove_alias} of {name} is gone; it named version {number}")
        elif compare is not None:
            _compare(opened, name, compare, as_json=as_json)
        elif card is not None:
            _card(opened, name, version, card, output)
        elif retrain:
            _retrain(opened, name, version, as_json=as_json)
        else:
            found = opened.describe(name, version)
            print(_json(found.as_json()) if as_json else version_text.describe(found))


def _json(value: Any) -> str:
    return json.dumps(plain(value), indent=2, ensure_ascii=False)


def _list(project: Project, name: str | None, *, every: bool, as_json: bool) -> None:
    known = [one.name for one in project.models()]
    if name is not None and name.lower() not in map(str.lower, known):
        raise NotFoundError(f"there is no model {name}", hint=did_you_mean(name, known))
    if not known:
        print("[]" if as_json else "no models: CREATE MODEL makes one")
        return
    table = "model_versions" if every else "models"
    rows = project.sql(f"SELECT * FROM tidemill.{table}").to_arrow().to_pylist()
    judged = project.sql("SELECT model, version, metric, value FROM tidemill.metrics").to_arrow().to_pylist()
    if name is not None:
        rows = [row for row in rows if row["name"].lower() == name.lower()]
    metrics: dict[tuple[str, int], dict[str, float]] = {}
    for row in judged:
        metrics.setdefault((row["model"], row["version"]), {})[row["metric"]] = row["value"]
    found = [{**_decoded(row), "metrics": metrics.get((row["name"], row["version"]), {})} for row in rows]
    if as_json:
        print(_json(found))
        return
    print(describe_models(found, every=every))
    shown = {(row["name"], row["version"]) for row in found}
    for flag in project.flagged():
        if (flag.model, flag.version) in shown:
            which = f"{flag.model} version {flag.version}"
            print(f"{which} was trained on rows that were erased since (erasure {flag.number})")


def _set_alias(project: Project, name: str, given: str, *, why: str) -> None:
    alias, _, version = given.partition("=")
    if not version:
        raise SettingsError(f"--alias {given} names no version", hint=f"--alias {alias}=3, or another alias")
    found = project.set_alias(name, alias, version, why=why)
    print(f"{found.name}@{alias} is version {found.version}")


def _compare(project: Project, name: str, versions: tuple[str, str], *, as_json: bool) -> None:
    confidence = 0.95
    found = project.compare(name, *versions, confidence=confidence)
    print(_json(asdict(found)) if as_json else version_text.compare(found, confidence=confidence))


def _card(project: Project, name: str, version: str | None, form: CardFormat, output: Path | None) -> None:
    text = project.card(name, version, html=form is CardFormat.html)
    if output is None:
        print(text, end="")
        return
    write_text(text, output)
    print(f"wrote {output}")


def _retrain(project: Project, name: str, version: str | None, *, as_json: bool) -> None:
    row, trained = project.retrain(name, version)
    same = row.digest == trained.digest
    if as_json:
        facts = {"name": row.name, "version": row.version, "digest": row.digest, "again": trained.digest, "same": same}
        print(_json(facts))
        return
    print(f"{row.name} version {row.version}: {row.digest}\ntrained again:     {trained.digest}")
    erased = project.describe(name, version).erased
    other = "rows it read were erased since" if erased else "libraries, threads or the machine may differ"
    print("the same to the last bit" if same else f"not the same: {other}")


def _prune(
    project: Project, name: str | None, *, keep: int | None, days: int | None, yes: bool, why: str, as_json: bool
) -> None:
    keep = keep or project.settings.keep_versions
    if not keep:
        raise SettingsError(
            "the setting keep_versions is 0: every version stays", hint="say how many stay: --prune --keep 3"
        )
    days = project.settings.keep_days if days is None else days
    found = project.prune(name, keep=keep, days=days, apply=yes, why=why)
    if as_json:
        print(_json([{"name": one.version.name, "version": one.version.version, "goes": one.goes, "stays": one.stays}
                     for one in found]))  # fmt: skip
        return
    print(version_text.verdicts(found, done=yes))
    if not yes and any(one.goes for one in found):
        print("nothing is done yet: add --yes")


def _decoded(row: dict[str, Any]) -> dict[str, Any]:
    """The columns that hold JSON text as what they say."""
    return {name: json.loads(value) if value and name in STRUCTURES else value for name, value in row.items()}


def describe_models(rows: list[dict[str, Any]], *, every: bool = False) -> str:
    """The models as a table, their metrics in one column; every version also with its time, run and digest."""
    shown = [
        (
            row["name"],
            row["version"],
            row["model_type"],
            f"{row['created_at']:%Y-%m-%d %H:%M}",
            row["rows_train"],
            row["rows_eval"],
            *((duration(row["seconds"]), row["run_id"], row["digest"][:12]) if every else ()),
            ", ".join(f"{name} {value:.4g}" for name, value in row["metrics"].items() if value is not None),
        )
        for row in rows
    ]
    names = ["model", "version", "type", "created (UTC)", "trained on", "judged on"]
    names += [*(["took", "run", "digest"] if every else []), "metrics"]
    return text_table(names, shown, widest=160)
