"""Manifests for Kubernetes: plain data, one function an object; and the KServe variant.

References
----------
https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
https://kubernetes.io/docs/concepts/security/pod-security-standards/ (the restricted profile)
https://github.com/kserve/kserve/blob/master/config/crd/full/serving.kserve.io_inferenceservices.yaml
"""

from __future__ import annotations

from typing import Any

from tidemill.export.docker import PORT, USER
from tidemill.export.names import Shipped
from tidemill.export.yaml_text import yaml_text

TOKENS = "/run/secrets/tidemill"
Object = dict[str, Any]


def kubernetes_text(shipped: Shipped) -> str:
    """All manifests of a deployment as one YAML file."""
    objects = (deployment, service, autoscaler, disruption_budget, network_policy)
    return _HEAD.format(label=shipped.label) + yaml_text(*(make(shipped) for make in objects))


def kserve_text(shipped: Shipped) -> str:
    """The InferenceService as YAML."""
    return _HEAD.format(label=shipped.label) + yaml_text(inference_service(shipped))


_HEAD = """\
# The tokens are a secret of yours, a line each of name, role and SHA-256 (no token itself):
#   kubectl create secret generic {label}-tokens --from-file=tokens=tokens.txt
"""


def deployment(shipped: Shipped) -> Object:
    """Pods that are replaced one by one, none before its successor is ready. The autoscaler counts them."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(shipped, shipped.label),
        "spec": {
            "revisionHistoryLimit": 5,
            "progressDeadlineSeconds": 300,
            "selector": {"matchLabels": shipped.selector},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": shipped.labels, "annotations": shipped.annotations},
                "spec": pod(shipped, "server", port_name="http"),
            },
        },
    }


def pod(shipped: Shipped, name: str, *, port_name: str) -> Object:
    """The pod: no root, no privileges, no service account, nothing writable but two volumes."""
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": shipped.grace_s,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": shipped.selector},
            }
        ],
        "containers": [container(shipped, name, port_name=port_name)],
        "volumes": [
            {"name": "data", "emptyDir": {"sizeLimit": "4Gi"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
            {"name": "tokens", "secret": {"secretName": f"{shipped.label}-tokens", "defaultMode": 0o440}},
        ],
    }


def container(shipped: Shipped, name: str, *, port_name: str) -> Object:
    """The server's container."""
    hosts = [f"{shipped.label}{ending}" for ending in _service_names()]
    return {
        "name": name,
        "image": shipped.image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": port_name, "containerPort": PORT, "protocol": "TCP"}],
        "env": [
            {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "PORT", "value": str(PORT)},
            {"name": "TIDEMILL_TOKENS_FILE", "value": f"{TOKENS}/tokens"},
            {"name": "TIDEMILL_ALLOW_HOSTS", "value": ",".join(hosts)},
        ],
        "startupProbe": _probe("/livez", period=1, failures=60),
        "livenessProbe": _probe("/livez", period=10, failures=3),
        "readinessProbe": _probe("/v2/health/ready", period=2, failures=2),
        "resources": {
            "requests": {"cpu": "500m", "memory": "384Mi", "ephemeral-storage": "256Mi"},
            "limits": {"memory": "1Gi", "ephemeral-storage": "5Gi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - in the container
            {"name": "tokens", "mountPath": TOKENS, "readOnly": True},
        ],
    }


def _service_names() -> tuple[str, ...]:
    """Endings of the names under which a service is reached; Kubernetes puts the namespace in."""
    return "", ".$(NAMESPACE)", ".$(NAMESPACE).svc", ".$(NAMESPACE).svc.cluster.local"


def _probe(path: str, *, period: int, failures: int) -> Object:
    return {
        "httpGet": {"path": path, "port": PORT},
        "periodSeconds": period,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }


def service(shipped: Shipped) -> Object:
    """The name under which pods are reached inside the cluster."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(shipped, shipped.label),
        "spec": {
            "type": "ClusterIP",
            "selector": shipped.selector,
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def autoscaler(shipped: Shipped) -> Object:
    """More pods within seconds, fewer after five quiet minutes."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": _metadata(shipped, shipped.label),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": shipped.label},
            "minReplicas": 2,
            "maxReplicas": 10,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
                }
            ],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
        },
    }


def disruption_budget(shipped: Shipped) -> Object:
    """When nodes are emptied, pods go one by one."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(shipped, shipped.label),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": shipped.selector}},
    }


def network_policy(shipped: Shipped) -> Object:
    """Pods are reached on their port only, and reach nobody."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(shipped, shipped.label),
        "spec": {
            "podSelector": {"matchLabels": shipped.selector},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": PORT}]}],
            "egress": [],
        },
    }


def inference_service(shipped: Shipped) -> Object:
    """KServe's object, with the same pod as a custom predictor; it speaks the Open Inference Protocol."""
    made = pod(shipped, "kserve-container", port_name="http1")
    made.pop("topologySpreadConstraints")  # KServe labels its pods by itself
    metadata = _metadata(shipped, shipped.label)
    metadata["annotations"] |= {"serving.kserve.io/deploymentMode": "RawDeployment"}
    (server,) = made["containers"]
    hosts = next(item for item in server["env"] if item["name"] == "TIDEMILL_ALLOW_HOSTS")
    hosts["value"] += "".join(f",{shipped.label}-predictor{ending}" for ending in _service_names())
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": metadata,
        "spec": {
            "predictor": {
                "minReplicas": 2,
                "maxReplicas": 10,
                "scaleMetric": "cpu",
                "scaleTarget": 70,
                "labels": shipped.labels,
                "deploymentStrategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
                },
                **made,
            }
        },
    }


def _metadata(shipped: Shipped, name: str) -> Object:
    return {"name": name, "labels": shipped.labels, "annotations": dict(shipped.annotations)}
