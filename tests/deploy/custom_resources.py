"""Schemas of the fields that we use of other people's kinds: a field or value that is not here is a mistake."""

from typing import Any, Dict

Schema = Dict[str, Any]

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_DURATION = {"type": "string", "pattern": "^([0-9]+(ms|s|m|h|d))+$"}


def _object(required: str, **properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "required": required.split(), "properties": properties}


def _list(items: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": items}


def _kind(api_version: str, kind: str, spec: Schema) -> Schema:
    metadata = _object("name namespace", name=_TEXT, namespace=_TEXT, annotations={"type": "object"}, labels={"type": "object"})
    return _object("apiVersion kind metadata spec", apiVersion={"const": api_version}, kind={"const": kind},
                   metadata=metadata, spec=spec)


_RULE = _object("alert expr labels annotations", alert=_TEXT, expr=_TEXT, labels={"type": "object"},
                annotations={"type": "object"}, **{"for": _DURATION})
_POLICY = _object("type value periodSeconds", type={"enum": ["Pods", "Percent"]}, value={"type": "integer", "minimum": 1},
                  periodSeconds={"type": "integer", "minimum": 1, "maximum": 1800})
_SCALING = _object("policies", stabilizationWindowSeconds={"type": "integer", "minimum": 0, "maximum": 3600},
                   policies=_list(_POLICY), selectPolicy={"enum": ["Max", "Min", "Disabled"]})
_TRUTH = {"enum": ["true", "false"]}
_KAFKA_TRIGGER = _object(
    "type metadata", type={"const": "kafka"}, authenticationRef=_object("name", name=_TEXT),
    metadata=_object(
        "bootstrapServers consumerGroup topic lagThreshold", bootstrapServers=_TEXT, consumerGroup=_TEXT, topic=_TEXT,
        lagThreshold={"type": "string", "pattern": "^[0-9]+$"}, offsetResetPolicy={"enum": ["earliest", "latest"]},
        allowIdleConsumers=_TRUTH, excludePersistentLag=_TRUTH, limitToPartitionsWithLag=_TRUTH,
        sasl={"enum": ["plaintext", "scram_sha256", "scram_sha512", "oauthbearer", "gssapi", "none"]},
        tls={"enum": ["enable", "disable"]}))

SCHEMAS: Dict[str, Schema] = {
    "ServiceMonitor": _kind("monitoring.coreos.com/v1", "ServiceMonitor", _object(
        "selector endpoints", selector=_object("matchLabels", matchLabels={"type": "object"}),
        endpoints=_list(_object("port path", port=_TEXT, path=_TEXT, interval=_DURATION)))),
    "PrometheusRule": _kind("monitoring.coreos.com/v1", "PrometheusRule", _object(
        "groups", groups=_list(_object("name rules", name=_TEXT, rules=_list(_RULE))))),
    "ScaledObject": _kind("keda.sh/v1alpha1", "ScaledObject", _object(
        "scaleTargetRef triggers", scaleTargetRef=_object("name kind apiVersion", name=_TEXT, kind=_TEXT, apiVersion=_TEXT),
        minReplicaCount=_COUNT, maxReplicaCount=_COUNT, pollingInterval=_COUNT,
        fallback=_object("failureThreshold replicas", failureThreshold=_COUNT, replicas=_COUNT, behavior={
            "enum": ["static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"]}),
        advanced=_object("horizontalPodAutoscalerConfig", horizontalPodAutoscalerConfig=_object(
            "behavior", behavior=_object("scaleUp scaleDown", scaleUp=_SCALING, scaleDown=_SCALING))),
        triggers=_list(_KAFKA_TRIGGER))),
    "TriggerAuthentication": _kind("keda.sh/v1alpha1", "TriggerAuthentication", _object(
        "secretTargetRef", secretTargetRef=_list(_object("parameter name key", parameter={
            "enum": ["username", "password", "ca", "sasl", "tls", "cert", "key"]}, name=_TEXT, key=_TEXT)))),
}
