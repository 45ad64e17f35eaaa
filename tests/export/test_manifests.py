"""Manifests are valid for Kubernetes and KServe, and ask for what a careful operator would."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml  # type: ignore[import-untyped]

from tidemill.export.kubernetes import kserve_text, kubernetes_text
from tidemill.export.names import Shipped

ONE = Shipped(
    name="churn", label="churn", model="churn", version=3, digest="ab" * 32, image="shop/churn:v3", grace_s=22
)

# The fields used here, with their types, as the resource's own schema has them:
# https://github.com/kserve/kserve/blob/aaac4e294dae2c7b1aa1886447793f3aa1c30912/config/crd/full/serving.kserve.io_inferenceservices.yaml
# (version v1beta1, spec.predictor). A field that is not in it would be dropped without a word.
PROBE = {
    "httpGet": {"path": str, "port": (int, str)}, "periodSeconds": int, "timeoutSeconds": int, "failureThreshold": int,
}  # fmt: skip
KSERVE_PREDICTOR: dict[str, Any] = {
    "minReplicas": int,
    "maxReplicas": int,
    "scaleMetric": ("cpu", "memory", "concurrency", "rps"),
    "scaleTarget": int,
    "labels": {str: str},
    "deploymentStrategy": {"type": str, "rollingUpdate": {"maxSurge": (int, str), "maxUnavailable": (int, str)}},
    "automountServiceAccountToken": bool,
    "enableServiceLinks": bool,
    "terminationGracePeriodSeconds": int,
    "securityContext": {
        "runAsNonRoot": bool, "runAsUser": int, "runAsGroup": int, "fsGroup": int, "seccompProfile": {"type": str},
    },
    "volumes": [
        {"name": str, "emptyDir": {"sizeLimit": (int, str)}, "secret": {"secretName": str, "defaultMode": int}}
    ],
    "containers": [
        {
            "name": str,
            "image": str,
            "imagePullPolicy": str,
            "ports": [{"name": str, "containerPort": int, "protocol": str}],
            "env": [{"name": str, "value": str, "valueFrom": {"fieldRef": {"fieldPath": str}}}],
            "startupProbe": PROBE,
            "livenessProbe": PROBE,
            "readinessProbe": PROBE,
            "resources": {"requests": {str: (int, str)}, "limits": {str: (int, str)}},
            "securityContext": {
                "allowPrivilegeEscalation": bool, "readOnlyRootFilesystem": bool, "runAsNonRoot": bool,
                "capabilities": {"drop": [str]},
            },
            "volumeMounts": [{"name": str, "mountPath": str, "readOnly": bool}],
        }
    ],
}  # fmt: skip


def documents() -> dict[str, Any]:
    return {document["kind"]: document for document in yaml.safe_load_all(kubernetes_text(ONE))}


def departures(value: Any, schema: Any, path: str = "") -> list[str]:
    """Where a value is not what a schema says."""
    if isinstance(schema, dict):
        if not isinstance(value, dict):
            return [f"{path}: not an object"]
        any_key = schema.get(str)
        return [
            found
            for key, item in value.items()
            for found in (
                departures(item, any_key or schema[key], f"{path}.{key}")
                if any_key or key in schema
                else [f"{path}.{key}: no such field"]
            )
        ]
    if isinstance(schema, list):
        return [
            found for number, item in enumerate(value) for found in departures(item, schema[0], f"{path}[{number}]")
        ]
    if isinstance(schema, tuple) and isinstance(schema[0], str):
        return [] if value in schema else [f"{path}: {value!r}"]
    kinds = schema if isinstance(schema, tuple) else (schema,)
    return [] if type(value) in kinds else [f"{path}: {value!r}"]


@pytest.mark.parametrize("version", ["1.29", "1.33"])
def test_every_object_is_valid_for_kubernetes(version: str) -> None:
    kinds = []
    for document in yaml.safe_load_all(kubernetes_text(ONE)):
        kubernetes_validate.validate(document, version, strict=True)
        kinds.append(document["kind"])
    assert kinds == ["Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"]


def test_the_cron_job_of_the_documentation_is_valid_for_kubernetes() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "schedule.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```text\n(apiVersion: .*?)^```$", page, re.MULTILINE | re.DOTALL)

    kubernetes_validate.validate(yaml.safe_load(text), "1.33", strict=True)


def test_the_validator_would_see_a_field_that_is_not_there() -> None:
    document = documents()["Deployment"]
    document["spec"]["template"]["spec"]["runAsRoot"] = True

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, "1.33", strict=True)


def test_the_pod_meets_the_restricted_profile() -> None:
    pod = documents()["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] >= 10000
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert {next(iter(set(volume) - {"name"})) for volume in pod["volumes"]} == {"emptyDir", "secret"}


def test_a_rollout_never_has_too_few_pods_and_lets_requests_end() -> None:
    found = documents()
    spec = found["Deployment"]["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]

    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert pod["terminationGracePeriodSeconds"] == 22
    assert container["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert set(container["resources"]["requests"]) == {"cpu", "memory", "ephemeral-storage"}
    assert "replicas" not in spec  # the autoscaler's
    assert found["HorizontalPodAutoscaler"]["spec"]["minReplicas"] == 2
    assert found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == found["Deployment"]["metadata"]["name"]


def test_selectors_find_the_pods_and_stay_when_the_version_changes() -> None:
    found = documents()
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        found["Deployment"]["spec"]["selector"]["matchLabels"],
        found["Service"]["spec"]["selector"],
        found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]

    for selector in selectors:
        assert selector.items() <= labels.items()
        assert "app.kubernetes.io/version" not in selector
    (port,) = found["Service"]["spec"]["ports"]
    (container,) = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert port["targetPort"] in {item["name"] for item in container["ports"]}


def test_the_inference_service_has_only_fields_of_kserves_schema() -> None:
    (document,) = yaml.safe_load_all(kserve_text(ONE))

    assert (document["apiVersion"], document["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert set(document["spec"]) == {"predictor"}
    assert departures(document["spec"]["predictor"], KSERVE_PREDICTOR) == []
    assert departures({"replicas": 1}, KSERVE_PREDICTOR) == [".replicas: no such field"]
    (container,) = document["spec"]["predictor"]["containers"]
    assert container["name"] == "kserve-container"
    assert container["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
