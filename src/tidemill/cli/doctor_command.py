"""tidemill doctor: check this machine and this project."""

from __future__ import annotations

import json
from pathlib import Path

from click.exceptions import Exit

from tidemill.cli.options import AsJson, ProjectFolder
from tidemill.cli.words import paint, wants_colour
from tidemill.core.finding import Finding
from tidemill.doctor import examine

COLOURS = {"ok": "32", "warning": "33", "bad": "31"}


def doctor(as_json: AsJson = False, project: ProjectFolder = Path()) -> None:
    """Print the findings; leave with 1 when one is bad."""
    findings: list[Finding] = []
    for finding in examine(project):
        findings.append(finding)
        if not as_json:
            print(describe(finding, colour=wants_colour()), flush=True)
    if as_json:
        print(json.dumps([finding.as_json() for finding in findings], indent=2, ensure_ascii=False))
    if any(finding.status == "bad" for finding in findings):
        raise Exit(1)


def describe(finding: Finding, *, colour: bool = False) -> str:
    """One finding as text."""
    status = paint(f"{finding.status:<7}", COLOURS[finding.status], when=colour)
    text = f"{status}  {finding.check}: {finding.detail}"
    return f"{text}\n         try: {finding.hint}" if finding.hint and finding.status != "ok" else text
