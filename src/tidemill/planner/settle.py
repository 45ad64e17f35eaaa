"""A step just before it starts: what it reads may have turned out to be as it was.

Whether an incremental table gets rows is known when its increment has run, not when the plan is made. The plan counts
on rows; where none came, the table keeps its fingerprint, and a reader with no other reason has nothing to do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from tidemill.core.digest import digest_value
from tidemill.planner.plan import Step


def fingerprint_of(made_of: tuple[object, ...], reads: Mapping[str, str], checked: Collection[str] = ()) -> str:
    """What an asset is: its statement, and the fingerprints and tokens of what it reads for its rows."""
    return digest_value([*made_of, sorted((name, token) for name, token in reads.items() if name not in checked)])


def settle(step: Step, done: Mapping[str, str]) -> Step:
    """The step as it is when the assets before it have these fingerprints; action ``skip`` when nothing is left to do.

    Parameters
    ----------
    done
        By name, the fingerprints of the assets whose steps have ended.
    """
    reads = {name: done.get(name, token) for name, token in step.reads.items()}
    if reads == step.reads or not step.made_of:
        return step
    if step.unless is not None and reads == step.unless:
        return replace(step, action="skip", reads=reads, fingerprint=step.before, planned=step.fingerprint)
    if step.action == "check":
        return replace(step, reads=reads)
    fingerprint = fingerprint_of(step.made_of, reads, step.checked)
    return replace(step, reads=reads, fingerprint=fingerprint, planned=step.fingerprint)
