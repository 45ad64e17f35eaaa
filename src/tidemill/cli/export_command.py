"""tidemill export: a deployment as a container image or as manifests, a project's CI."""

from __future__ import annotations

import json
import os
import shutil
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tidemill.cli.options import AsJson, ProjectFolder, entered
from tidemill.cli.parameters import argument, option
from tidemill.core.errors import ExistsError, SettingsError, SourceError
from tidemill.core.who import current_user

if TYPE_CHECKING:
    from tidemill.export.names import Shipped
    from tidemill.project import Project

MARK = ".tidemill-export"


class What(StrEnum):
    """What to export."""

    docker = "docker"
    kubernetes = "kubernetes"
    ci = "ci"


def export(
    what: Annotated[What, argument(about="docker, kubernetes or ci.")],
    name: Annotated[str | None, argument(about="docker, kubernetes: the deployment.")] = None,
    output: Annotated[
        Path | None, option("--output", "-o", metavar="DIR", about="The folder; else export/NAME/...")
    ] = None,
    image: Annotated[str, option("--image", about="The image's name and tag.", metavar="REFERENCE")] = "",
    kserve: Annotated[bool, option("--kserve", about="kubernetes: an InferenceService of KServe's.")] = False,
    force: Annotated[bool, option("--force", about="Write over files that are there.")] = False,
    as_json: AsJson = False,
    project: ProjectFolder = Path(),
) -> None:
    """Write the files, and say what to do with them."""
    output = output.absolute() if output else None
    with entered(project) as opened:
        if what is What.ci:
            told = _export_ci(opened, output or opened.root, force=force)
        else:
            told = _export_deployment(opened, what, name, output, image=image, kserve=kserve, force=force)
    if as_json:
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return
    for file in told["files"]:
        print(f"wrote {file}")
    print(f"next: {told['next']}")


def _export_deployment(
    project: Project, what: What, name: str | None, output: Path | None, *, image: str, kserve: bool, force: bool
) -> dict[str, Any]:
    from tidemill.export.bundle import find_shipped

    if not name:
        raise SettingsError(f"tidemill export {what.value} needs a deployment", hint="tidemill status lists them")
    shipped = find_shipped(project, name, image)
    folder = output or project.root / "export" / shipped.label / what.value
    if what is What.docker:
        return _docker(project, shipped, folder)
    return _kubernetes(project, shipped, folder, kserve=kserve, force=force)


def _docker(project: Project, shipped: Shipped, folder: Path) -> dict[str, Any]:
    from tidemill.export.docker import write_docker

    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).is_file():
        # Not with --force either: the folder is replaced as a whole, and these files are nobody's to delete.
        raise ExistsError(f"{folder} has files that no export wrote", hint="choose another --output")
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        write_docker(project, shipped, partial, who=current_user())
        (partial / MARK).write_text(f"{shipped.digest}\n", encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    except OSError as error:
        raise SourceError(f"cannot write {folder}: {error.strerror}", hint="choose another --output") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    shown = _shown(folder, project.root)
    return {
        "files": [f"{shown}/Dockerfile", f"{shown}/bundle", f"{shown}/requirements.txt", f"{shown}/tidemill"],
        "image": shipped.image,
        "version": shipped.version,
        "digest": shipped.digest,
        "next": f"docker build -t {shipped.image} {shown}",
    }


def _kubernetes(project: Project, shipped: Shipped, folder: Path, *, kserve: bool, force: bool) -> dict[str, Any]:
    from tidemill.export.kubernetes import kserve_text, kubernetes_text

    text = kserve_text(shipped) if kserve else kubernetes_text(shipped)
    path = folder / ("inferenceservice.yaml" if kserve else "deployment.yaml")
    _write(path, text, force=force or "managed-by: tidemill" in _read(path))
    shown = _shown(path, project.root)
    return {
        "files": [shown],
        "image": shipped.image,
        "version": shipped.version,
        "digest": shipped.digest,
        "next": f"kubectl apply -f {shown}",
    }


def _export_ci(project: Project, folder: Path, *, force: bool) -> dict[str, Any]:
    from tidemill.core.names import name_key
    from tidemill.export.ci import SCRIPT, WORKFLOW, ci_script, workflow_text
    from tidemill.warehouse.control.deployments import list_deployments

    names = {name_key(one.name): one.name for one in list_deployments(project.db)}
    names |= {name_key(name): name for name in project.settings.deployments}
    texts = {SCRIPT: ci_script([names[key] for key in sorted(names)]), WORKFLOW: workflow_text()}
    for name, text in texts.items():
        _write(folder / name, text, force=force)
    (folder / SCRIPT).chmod(0o755)
    return {"files": [_shown(folder / name, project.root) for name in texts], "next": f"sh {SCRIPT}"}


def _write(path: Path, text: str, *, force: bool) -> None:
    if not force and path.exists() and _read(path) != text:
        raise ExistsError(f"{path} is there, and is another", hint="say --force to write over it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SourceError(f"cannot write {path}: {error.strerror}", hint="choose another --output") from error


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _shown(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
