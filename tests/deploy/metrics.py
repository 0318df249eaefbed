"""The metrics that the service promises, and what of them a PromQL expression uses."""

import re
from typing import Dict, FrozenSet, Iterator, Set, Tuple

# What it is for Prometheus, and its labels.
_OURS = {
    "counter": "events_consumed_total{topic} results_total{outcome,reason} coalesced_total retries_total{cause} "
               "unclassified_replies_total rebalances_total delivery_failures_total offset_resets_total{topic} "
               "drains_cut_short_total headers_dropped_total identity_in_metadata_total{where} log_lines_dropped_total",
    "gauge": "ready buffered_events buffered_bytes in_flight in_flight_limit requests_per_second_limit retrying_events "
             "assigned_partitions line_stopped{cause} oldest_event_age_seconds{topic,partition} "
             "uncommitted_events{topic,partition} consumer_lag{topic,partition} committed_offset{topic,partition} "
             "config_last_reload_successful config_last_reload_success_timestamp_seconds "
             "api_key_last_change_timestamp_seconds build_info{version,librdkafka,libcurl}",
    "histogram": "event_duration_seconds",
}
_OTHERS = {
    "counter": "process_cpu_seconds_total",
    "gauge": "process_resident_memory_bytes process_virtual_memory_bytes process_virtual_memory_max_bytes "
             "process_open_fds process_max_fds process_threads process_start_time_seconds",
    "histogram": "http_client_request_duration_seconds"
                 "{http_request_method,server_address,server_port,http_response_status_code,error_type}",
}
# What Prometheus adds to every series that it scrapes.
_TARGET = {"namespace", "pod", "instance", "job"}
_SELECTOR = re.compile(r"\b((?:care360_lookup|http_client|process)_\w+)(?:\s*\{([^}]*)\})?")
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)")


def _read(text: str, prefix: str) -> Iterator[Tuple[str, FrozenSet[str]]]:
    for name, labels in re.findall(r"(\w+)(?:\{([\w,]*)\})?", text):
        yield prefix + name, frozenset(filter(None, labels.split(",")))


def _series() -> Dict[str, FrozenSet[str]]:
    """Every name that a query may have, and its own labels."""
    series = {}
    for prefix, metrics in (("care360_lookup_", _OURS), ("", _OTHERS)):
        for kind, text in metrics.items():
            for name, labels in _read(text, prefix):
                if kind == "histogram":
                    series[name + "_bucket"] = labels | {"le"}
                    series[name + "_count"] = series[name + "_sum"] = labels
                else:
                    series[name] = labels
    return series


SERIES = _series()


def exposed(text: str) -> Dict[str, FrozenSet[str]]:
    """The same of what /metrics says."""
    samples = re.findall(r"(?m)^(\w+)(?:\{([^}]*)\})? \S+$", text)
    return {name: frozenset(re.findall(r'(\w+)="', labels)) for name, labels in samples}


def unknown_names(expression: str) -> Set[str]:
    """Metrics and labels in a PromQL expression that the service does not have."""
    unknown = set()
    allowed = set(_TARGET)
    for name, matchers in _SELECTOR.findall(expression):
        if name not in SERIES:
            unknown.add(name)
            continue
        allowed |= SERIES[name]
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', matchers)):
            if label not in SERIES[name] | _TARGET:
                unknown.add(f"{name}{{{label}}}")
    for labels in _GROUPING.findall(expression):
        unknown |= {label for label in re.findall(r"\w+", labels) if label not in allowed}
    if not _SELECTOR.search(expression):
        unknown.add(f"no metric in {expression!r}")
    return unknown
