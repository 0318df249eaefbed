"""What Kustomize made, and what can be asked of it."""

from typing import Any, Dict, Iterator, List, Tuple

import yaml

Object = Dict[str, Any]

OVERLAYS = ["overlays/staging", "overlays/production", "overlays/demo", "overlays/statefulset"]
# The last one is of the tests' own; see conftest.py.
ALL = ["base", *OVERLAYS, "overlays/hpa"]

# Kinds that a cluster does not have by itself; the rest is validated by Kubernetes' own schemas.
CUSTOM = ("ServiceMonitor", "PrometheusRule", "ScaledObject", "TriggerAuthentication")


class Manifests:
    """All objects of one build."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.objects: List[Object] = [document for document in yaml.safe_load_all(text) if document]

    def of_kind(self, *kinds: str) -> List[Object]:
        return [found for found in self.objects if found["kind"] in kinds]

    def one(self, kind: str, name: str = "care360-lookup") -> Object:
        found = [o for o in self.of_kind(kind) if o["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} objects {kind} {name}"
        return found[0]

    def names(self, kind: str) -> List[str]:
        return [found["metadata"]["name"] for found in self.of_kind(kind)]

    def workloads(self) -> List[Object]:
        return self.of_kind("Deployment", "StatefulSet")

    def service_workload(self) -> Object:
        """What runs the service itself."""
        found = [o for o in self.workloads() if o["metadata"]["name"] == "care360-lookup"]
        assert len(found) == 1
        return found[0]

    def service_pod(self) -> Object:
        return self.service_workload()["spec"]["template"]["spec"]

    def service_container(self) -> Object:
        containers = self.service_pod()["containers"]
        assert len(containers) == 1
        return containers[0]

    def pods(self) -> Iterator[Tuple[str, Object, Object]]:
        """Name, labels and spec of every kind of pod."""
        for workload in self.workloads():
            template = workload["spec"]["template"]
            yield workload["metadata"]["name"], template["metadata"]["labels"], template["spec"]

    def mounted_config(self) -> str:
        """The content of the ConfigMap that the service reads its settings from."""
        volume = next(v for v in self.service_pod()["volumes"] if v["name"] == "config")
        return self.one("ConfigMap", volume["configMap"]["name"])["data"]["care360-lookup.cfg"]
