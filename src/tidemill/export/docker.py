"""A folder from which ``docker build`` makes an image: this Tidemill, what it needs to serve, and one version."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tidemill.core.version import VERSION
from tidemill.export.bundle import write_bundle
from tidemill.export.requirements import requirements_text
from tidemill.warehouse.control.models import get_version

if TYPE_CHECKING:
    from tidemill.export.names import Shipped
    from tidemill.project import Project

PYTHON_IMAGE = "python:3.11.14-slim-bookworm"
USER = 10001
PORT = 8080
_LEFT_OUT = ("__pycache__", "*.pyc", "testing")

DOCKERFILE = """\
# Made by Tidemill {version}. Build: docker build -t {image} .
# For builds that never change, give the base by its digest: --build-arg PYTHON_IMAGE=python@sha256:...
ARG PYTHON_IMAGE={python}

FROM ${{PYTHON_IMAGE}} AS packages
COPY requirements.txt /tmp/requirements.txt
RUN python -m venv /opt/venv \\
 && /opt/venv/bin/pip install --no-cache-dir --no-compile --no-deps --only-binary :all: --require-hashes \\
        -r /tmp/requirements.txt \\
 && /opt/venv/bin/pip uninstall --yes pip setuptools \\
 && /opt/venv/bin/python -m compileall -q -j 0 /opt/venv/lib

FROM ${{PYTHON_IMAGE}}
RUN pip uninstall --yes pip setuptools wheel 2>/dev/null; rm -rf /usr/local/lib/python3*/ensurepip
COPY --from=packages /opt/venv /opt/venv
COPY tidemill /opt/tidemill/tidemill
RUN /opt/venv/bin/python -m compileall -q -j 0 /opt/tidemill/tidemill && install -d -o {user} -g {user} -m 0700 /data
COPY bundle /opt/tidemill/bundle
ENV PATH=/opt/venv/bin:$PATH \\
    PYTHONPATH=/opt/tidemill \\
    PYTHONDONTWRITEBYTECODE=1 \\
    PYTHONUNBUFFERED=1 \\
    HOME=/tmp \\
    PORT={port} \\
    TIDEMILL_TOKENS_FILE=/run/secrets/tidemill/tokens
LABEL org.opencontainers.image.title="{label}" \\
      org.opencontainers.image.version="v{number}" \\
      tidemill.digest="{digest}"
USER {user}:{user}
WORKDIR /tmp
VOLUME ["/data"]
EXPOSE {port}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["python", "-m", "tidemill.export.probe"]
ENTRYPOINT ["python", "-m", "tidemill.export.start"]
"""

IGNORED = "*\n!requirements.txt\n!tidemill\n!bundle\n**/__pycache__\n"


def write_docker(project: Project, shipped: Shipped, folder: Path, *, who: str) -> None:
    """Write the folder; it must be empty or not there."""
    folder.mkdir(parents=True, exist_ok=True)
    version = get_version(project.db, shipped.model, shipped.version)
    write_bundle(project, shipped, folder / "bundle", who=who)
    shutil.copytree(Path(__file__).parents[1], folder / "tidemill", ignore=shutil.ignore_patterns(*_LEFT_OUT))
    (folder / "requirements.txt").write_text(requirements_text(version.model_type), encoding="utf-8")
    (folder / ".dockerignore").write_text(IGNORED, encoding="utf-8")
    (folder / "Dockerfile").write_text(dockerfile(shipped), encoding="utf-8")
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # the image's user reads what somebody else's umask wrote


def dockerfile(shipped: Shipped) -> str:
    """The Dockerfile. All that is put in is a label, a number, a digest or a checked name: none can hold a line."""
    return DOCKERFILE.format(
        version=VERSION,
        image=shipped.image,
        python=PYTHON_IMAGE,
        label=shipped.label,
        number=shipped.version,
        digest=shipped.digest,
        user=USER,
        port=PORT,
    )
