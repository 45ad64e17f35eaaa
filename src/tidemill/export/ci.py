"""A template for CI: what to ask of a project before a change is merged, as a shell script and a GitHub workflow."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from tidemill.core.version import VERSION
from tidemill.export.yaml_text import yaml_text

SCRIPT = "ci.sh"
WORKFLOW = ".github/workflows/tidemill.yml"

_HEAD = """\
#!/bin/sh
# What a change must show before it is merged; runs on any machine that has Tidemill.
# 0 all is well; 3 mend the SQL; 4 mend the rows; 5 a gate did not pass; 7 try again.
set -eu
reports=${REPORTS:-reports}
mkdir -p "$reports"

tidemill lint
tidemill plan --json > "$reports/plan.json"
tidemill run --wait 600 --json > "$reports/run.json"
tidemill verify
"""

_GATES = """\
# The gates, without deploying anything.
"""


def ci_script(deployments: Sequence[str]) -> str:
    """The shell script: lint, plan, run (constraints and ASSERTs are the tests), verify, gates."""
    gates = "".join(f"tidemill deploy {shlex.quote(name)} --gates-only\n" for name in deployments)
    return _HEAD + ("\n" + _GATES + gates if gates else "")


def workflow_text() -> str:
    """The GitHub workflow that runs the script on pull requests, and on what is merged."""
    return yaml_text(
        {
            "name": "tidemill",
            "on": {"pull_request": {}, "push": {"branches": ["main"]}},
            "permissions": {"contents": "read"},
            "concurrency": {"group": "tidemill-${{ github.ref }}", "cancel-in-progress": True},
            "jobs": {
                "check": {
                    "runs-on": "ubuntu-24.04",
                    "timeout-minutes": 60,
                    "steps": [
                        {"uses": "actions/checkout@v4", "with": {"persist-credentials": False}},
                        {"uses": "actions/setup-python@v5", "with": {"python-version": "3.11"}},
                        {"name": "install", "run": f"python -m pip install tidemill=={VERSION}"},
                        {"name": "lint, plan, test, gate", "run": f"sh {SCRIPT}"},
                        {
                            "name": "keep the reports",
                            "if": "always()",
                            "uses": "actions/upload-artifact@v4",
                            "with": {"name": "tidemill", "path": "reports/", "if-no-files-found": "ignore"},
                        },
                    ],
                }
            },
        }
    )
