"""The manifests are what a cluster takes, and what the program that runs in them expects."""

import ipaddress
import pathlib
import re
import subprocess

import pytest
from manifests import ALL, CUSTOM, OVERLAYS
from settings import settings_in_effect

VALIDATE = pathlib.Path(__file__).parent / "validate.py"
ALLOWANCE = "care360-lookup/api-requests-per-second"

# Secrets that nobody puts into manifests, and the keys that the README says they have.
GIVEN_SECRETS = {"care360-api-key": {"api-key"}, "care360-kafka": {"username", "password", "ca.crt"}}


def environment(container):
    """What a container has in its environment, by literal values."""
    return {entry["name"]: entry.get("value", "care360-lookup-0") for entry in container.get("env", [])}


@pytest.fixture
def effective(build, tmp_path):
    """effective(overlay): the settings that its service runs with."""
    def read(name):
        return settings_in_effect(tmp_path, build(name).mounted_config(), environment(build(name).service_container()))

    return read


@pytest.mark.parametrize("name", ALL)
def test_every_object_fits_its_schema(build, tool, name):
    """Kubernetes' own, strictly: a field that no schema knows is a mistake."""
    done = subprocess.run([tool("venv") / "bin" / "python", VALIDATE], input=build(name).text, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert f"{len(build(name).objects)} objects" in done.stderr


@pytest.mark.parametrize("broken, place", [
    ("terminationGracePeriodSeconds: 40", "terminationGracePeriodSecond: 40"),
    ("kind: PodDisruptionBudget", "kind: PodDisruptionBudge"),
    ("minReplicaCount: 1", "minReplicas: 1"),
    ("periodSeconds: 300", "periodSeconds: 3000"),
])
def test_the_validation_finds_a_field_that_does_not_exist(build, tool, broken, place):
    text = build("overlays/production").text
    assert broken in text
    done = subprocess.run([tool("venv") / "bin" / "python", VALIDATE], input=text.replace(broken, place), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert done.returncode != 0 or done.stdout != ""


@pytest.mark.parametrize("name", ALL)
def test_the_program_accepts_the_configuration_that_is_mounted(effective, name):
    """No mistake and no warning, of the file and of the environment."""
    settings = effective(name)
    assert settings["server.listen"] == "[::]:8080"


@pytest.mark.parametrize("name", ALL)
def test_the_program_is_called_as_it_wants_to_be(build, name):
    container = build(name).service_container()
    command, option, path = container["args"]
    mount = next(m["mountPath"] for m in container["volumeMounts"] if m["name"] == "config")
    assert (command, option) == ("run", "-c")
    assert path == f"{mount}/care360-lookup.cfg"


@pytest.mark.parametrize("name", ALL)
def test_every_pod_is_restricted(build, name):
    """What the label of the namespace demands, and a root file system that nobody can write where it is ours."""
    labels = build(name).of_kind("Namespace")[0]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    for workload, _, pod in build(name).pods():
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True and context["runAsUser"] > 0, workload
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, workload
        assert pod["enableServiceLinks"] is False, workload
        assert pod["automountServiceAccountToken"] is False, workload
        for container in pod["containers"]:
            of_container = container["securityContext"]
            assert of_container["allowPrivilegeEscalation"] is False
            assert of_container["capabilities"] == {"drop": ["ALL"]}
            assert of_container.get("readOnlyRootFilesystem") is True or "kafka" in container["image"]
            assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", ALL)
def test_probes_of_the_process_never_ask_for_kafka_or_care360(build, name):
    """Else a refused key would be a restart loop, and no rollout that mends it could complete."""
    container = build(name).service_container()
    probes = {kind: container[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    assert {probe["port"] for probe in probes.values()} == {"http"}


@pytest.mark.parametrize("name", ALL)
def test_a_stop_is_given_more_time_than_the_drain_takes(build, effective, name):
    grace = build(name).service_pod()["terminationGracePeriodSeconds"]
    assert grace * 1000 >= effective(name)["shutdown.timeout_ms"] + 10_000


@pytest.mark.parametrize("name", ALL)
def test_a_rollout_takes_one_instance_at_a_time(build, name):
    spec = build(name).service_workload()["spec"]
    if "strategy" in spec:
        assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    else:
        assert spec["updateStrategy"] == {"type": "RollingUpdate"}
        assert spec["podManagementPolicy"] == "Parallel", "in order, a pod that never gets ready holds up its own mending"
    budget = build(name).one("PodDisruptionBudget")["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")


@pytest.mark.parametrize("name", ALL)
def test_whatever_a_pod_refers_to_is_there(build, name):
    """Secrets that hold something secret are made by hand; each mount is a whole directory."""
    made = {secret["metadata"]["name"]: set(secret.get("data", {})) for secret in build(name).of_kind("Secret")}
    secrets = {**GIVEN_SECRETS, **made}
    for workload, labels, pod in build(name).pods():
        assert pod.get("serviceAccountName", "default") in build(name).names("ServiceAccount") + ["default"]
        for volume in pod.get("volumes", []):
            if "secret" in volume:
                assert volume["secret"]["secretName"] in secrets
            else:
                assert volume["configMap"]["name"] in build(name).names("ConfigMap")
        for mount in (m for container in pod["containers"] for m in container.get("volumeMounts", [])):
            assert "subPath" not in mount, "would never be refreshed"
            assert mount["name"] in {volume["name"] for volume in pod["volumes"]}


@pytest.mark.parametrize("name", ALL)
def test_every_secret_that_the_configuration_names_is_mounted(build, effective, name):
    pod = build(name).service_pod()
    mounts = {m["mountPath"]: m["name"] for m in build(name).service_container()["volumeMounts"]}
    volumes = {v["name"]: v.get("secret", {}).get("secretName") for v in pod["volumes"]}
    made = {secret["metadata"]["name"]: set(secret["data"]) for secret in build(name).of_kind("Secret")}
    key_file = effective(name)["care360.api_key_file"]
    for path in [key_file, *re.findall(r'"(/run/secrets/[^"]+)"', build(name).mounted_config())]:
        directory, key = path.rsplit("/", 1)
        assert directory in mounts, path
        assert key in {**GIVEN_SECRETS, **made}[volumes[mounts[directory]]], path


@pytest.mark.parametrize("name", ALL)
def test_selectors_find_the_pods_that_they_are_for(build, name):
    labels = [pod_labels for _, pod_labels, _ in build(name).pods()]

    def found(selector):
        return [pod for pod in labels if selector.items() <= pod.items()]

    for kind in ("Service", "PodDisruptionBudget", "NetworkPolicy"):
        for thing in build(name).of_kind(kind):
            spec = thing["spec"]
            selector = spec.get("podSelector", spec.get("selector"))
            assert len(found(selector.get("matchLabels", selector))) == 1, f"{kind} {thing['metadata']['name']}"
    for workload in build(name).workloads():
        assert len(found(workload["spec"]["selector"]["matchLabels"])) == 1
    for constraint in build(name).service_pod()["topologySpreadConstraints"]:
        assert len(found(constraint["labelSelector"]["matchLabels"])) == 1
    for monitor in build(name).of_kind("ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        [service] = [s for s in build(name).of_kind("Service") if wanted <= s["metadata"]["labels"].items()]
        assert {e["port"] for e in monitor["spec"]["endpoints"]} <= {p["name"] for p in service["spec"]["ports"]}
    assert build(name).one("Service")["spec"]["publishNotReadyAddresses"] is True


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_network_lets_through_what_the_configuration_needs_and_no_more(build, effective, name):
    settings = effective(name)
    rules = build(name).one("NetworkPolicy")["spec"]["egress"]
    ports = {port["port"] for rule in rules for port in rule["ports"]}
    brokers = {int(broker.rsplit(":", 1)[1]) for broker in settings["kafka.brokers"].split(",")}
    api = int(settings["care360.base_url"].rsplit(":", 1)[1]) if settings["care360.base_url"] else 443
    assert ports == {53, api, *brokers}
    assert all(rule["to"] for rule in rules), "a rule without addressees is for all the world"
    for block in (to["ipBlock"] for rule in rules for to in rule["to"] if "ipBlock" in to):
        network = ipaddress.ip_network(block["cidr"])
        if network.prefixlen == 0:
            inside = [ipaddress.ip_network(private) for private in block["except"]]
            for private in ("10.1.2.3", "172.20.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "fd00::1", "fe80::1"):
                address = ipaddress.ip_address(private)
                assert address.version != network.version or any(address in block for block in inside), private
    [ingress] = build(name).one("NetworkPolicy")["spec"]["ingress"]
    assert ingress["from"] and ingress["ports"] == [{"port": "http"}]


def test_the_ceiling_of_instances_stays_within_what_the_api_allows(build, effective):
    """Limits are of one process."""
    scaled = build("overlays/production").one("ScaledObject")
    limit = effective("overlays/production")["limits.requests_per_second"]
    assert 0 < limit * scaled["spec"]["maxReplicaCount"] <= int(scaled["metadata"]["annotations"][ALLOWANCE])


def test_the_autoscaler_looks_at_the_lag_of_this_very_group(build, effective):
    settings = effective("overlays/production")
    [trigger] = build("overlays/production").one("ScaledObject")["spec"]["triggers"]
    assert trigger["metadata"]["bootstrapServers"] == settings["kafka.brokers"]
    assert trigger["metadata"]["consumerGroup"] == settings["kafka.group_id"]
    assert [trigger["metadata"]["topic"]] == settings["kafka.request_topics"]
    assert trigger["metadata"]["sasl"] == settings["kafka.security.sasl_mechanism"].lower().replace("-sha-", "_sha")
    [authentication] = build("overlays/production").of_kind("TriggerAuthentication")
    for reference in authentication["spec"]["secretTargetRef"]:
        assert reference["key"] in GIVEN_SECRETS[reference["name"]]


def test_no_instance_is_idle_and_none_leaves_in_a_hurry(build):
    scaled = build("overlays/production").one("ScaledObject")["spec"]
    behaviors = [scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"],
                 build("overlays/hpa").one("HorizontalPodAutoscaler")["spec"]["behavior"]]
    assert scaled["minReplicaCount"] == 1
    assert scaled["triggers"][0]["metadata"]["allowIdleConsumers"] == "false"
    for behavior in behaviors:
        assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 600
        assert behavior["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 300}]


def test_both_autoscalers_have_the_same_bounds(build):
    keda = build("overlays/production").one("ScaledObject")
    hpa = build("overlays/hpa").one("HorizontalPodAutoscaler")
    assert (keda["spec"]["minReplicaCount"], keda["spec"]["maxReplicaCount"]) == \
        (hpa["spec"]["minReplicas"], hpa["spec"]["maxReplicas"])
    assert keda["metadata"]["annotations"][ALLOWANCE] == hpa["metadata"]["annotations"][ALLOWANCE]


@pytest.mark.parametrize("name, scaler", [("overlays/production", "ScaledObject"), ("overlays/hpa", "HorizontalPodAutoscaler")])
def test_what_is_scaled_has_no_number_of_its_own(build, name, scaler):
    """Applying the manifests again would set it back."""
    target = build(name).one(scaler)["spec"]["scaleTargetRef"]
    workload = build(name).service_workload()
    assert (target["kind"], target["name"]) == (workload["kind"], workload["metadata"]["name"])
    assert "replicas" not in workload["spec"]


def test_static_members_have_the_names_of_their_pods_and_time_to_come_back(build, effective):
    container = build("overlays/statefulset").service_container()
    [name] = [e for e in container["env"] if e["name"] == "CARE360_LOOKUP_KAFKA_INSTANCE_ID"]
    assert name["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    settings = effective("overlays/statefulset")
    assert settings["kafka.instance_id"] == "care360-lookup-0"
    grace = build("overlays/statefulset").service_pod()["terminationGracePeriodSeconds"]
    assert settings["kafka.session_timeout_ms"] >= 2 * 1000 * grace
    assert build("overlays/statefulset").service_workload()["spec"]["serviceName"] in \
        build("overlays/statefulset").names("Service")


def test_a_changed_configuration_is_a_rollout(build):
    """Its ConfigMap is named for its content; the Secrets are not, because they change without one."""
    names = {n for overlay in OVERLAYS for n in build(overlay).names("ConfigMap") if re.match(r"care360-lookup-[0-9a-z]{10}$", n)}
    assert len(names) == len(OVERLAYS)
    assert "care360-api-key" in build("overlays/demo").names("Secret")


def test_custom_kinds_are_only_where_a_component_brings_them(build):
    assert build("base").of_kind(*CUSTOM) == []
    assert build("overlays/demo").of_kind(*CUSTOM) == []
