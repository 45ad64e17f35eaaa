"""YAML, TOML and names: what is written is what other people's readers read, whatever a person called things."""

from __future__ import annotations

import shlex
import subprocess
import tomllib
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidemill.core.errors import SettingsError
from tidemill.export.ci import ci_script, workflow_text
from tidemill.export.docker import dockerfile
from tidemill.export.kubernetes import kserve_text, kubernetes_text
from tidemill.export.names import Shipped, check_image, dns_label
from tidemill.export.toml_text import toml_text
from tidemill.export.yaml_text import yaml_text

TEXTS = st.one_of(
    st.text(), st.sampled_from(["yes", "No", "null", "~", "1e3", "0x1", "1:30", "- a", "a: b", "#", "2020-01-01", ""])
)
SCALARS = st.one_of(TEXTS, st.integers(), st.booleans(), st.none())
DATA = st.dictionaries(
    TEXTS,
    st.recursive(SCALARS, lambda inner: st.one_of(st.lists(inner), st.dictionaries(TEXTS, inner)), max_leaves=12),
)
HOSTILE = [
    'x"\nUSER root\nRUN curl evil',
    "a\n---\nkind: ClusterRoleBinding",
    "$(touch pwned)`touch pwned`; rm -rf /",
    "../../etc/passwd",
    "Ünï cødé 😀\u2028\x85",
    "${{ github.token }}",
    "-rf",
    "9lives",
    "x" * 300,
]


def shipped(name: str) -> Shipped:
    return Shipped(
        name=name, label=dns_label(name), model=name, version=3, digest="ab" * 32, image="shop/churn:v3", grace_s=22
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DATA)
def test_yaml_reads_as_the_data_it_was_written_from(data: dict[str, Any]) -> None:
    assert yaml.safe_load(yaml_text(data)) == data


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.recursive(
    st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-(2**63), 2**63 - 1), st.booleans(),
              st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)),
    max_leaves=10,
)))  # fmt: skip
def test_toml_reads_as_the_data_it_was_written_from(data: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(data)) == data


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_a_name(name: str) -> None:
    one = shipped(name)

    for text in (kubernetes_text(one), kserve_text(one)):
        for document in yaml.safe_load_all(text):
            assert document["metadata"]["name"] == one.label
            assert document["metadata"]["annotations"]["tidemill/deployment"] == name
            assert document["kind"] != "ClusterRoleBinding"
    lines = dockerfile(one).splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001:10001"]
    assert "curl evil" not in dockerfile(one)
    gates = ci_script([name]).split("anything.\n")[1]
    assert shlex.split(gates) == ["tidemill", "deploy", name, "--gates-only"]
    assert one.label.replace("-", "").isalnum()
    assert one.label.isascii()
    assert len(f"{one.label}-predictor") <= 63


def test_names_that_differ_have_labels_that_differ() -> None:
    names = ["churn", "Churn", "ch urn", "ch_urn", "ch-urn", "churn-", *HOSTILE]

    assert dns_label("churn") == "churn"
    assert len({dns_label(name) for name in names}) == len(names)


@pytest.mark.parametrize("image", ["churn", "shop/churn:v3", "reg.example:5000/a/b-c:1.2", "a@sha256:" + "0" * 64])
def test_an_image_reference_is_taken(image: str) -> None:
    assert check_image(image) == image


@pytest.mark.parametrize("image", ["", "Churn", "a b", "a\nUSER root", "a:", "../a", "a@sha256:12", "-a"])
def test_what_is_no_image_reference_is_refused(image: str) -> None:
    with pytest.raises(SettingsError, match="not the name of an image"):
        check_image(image)


def test_the_ci_script_is_shell_and_the_workflow_runs_it() -> None:
    script = ci_script(["churn", "it's"])

    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0
    commands = [line.split()[1] for line in script.splitlines() if line.startswith("tidemill ")]
    assert commands == ["lint", "plan", "run", "verify", "deploy", "deploy"]
    workflow = yaml.safe_load(workflow_text())
    assert workflow["on"] == {"pull_request": {}, "push": {"branches": ["main"]}}
    assert workflow["permissions"] == {"contents": "read"}
    assert {"name": "lint, plan, test, gate", "run": "sh ci.sh"} in workflow["jobs"]["check"]["steps"]
