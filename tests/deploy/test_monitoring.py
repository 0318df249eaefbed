"""Alerts and dashboard: Prometheus takes them, they fire when they should, and ask only for what the service has."""

import json
import pathlib
import re
import subprocess

import pytest
import yaml
from metrics import SERIES, unknown_names

HERE = pathlib.Path(__file__).parent
UNIT_TESTS = HERE / "alerts_test.yaml"


@pytest.fixture
def promtool(tool):
    def run(*arguments):
        done = subprocess.run([tool("promtool"), *map(str, arguments)], text=True, cwd=HERE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout

    return run


@pytest.fixture(scope="module")
def alerts(deploy):
    [group] = yaml.safe_load((deploy / "prometheus" / "alerts.yaml").read_text())["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


@pytest.fixture(scope="module")
def panels(deploy):
    return json.loads((deploy / "grafana" / "dashboard.json").read_text())["panels"]


def expressions(panels):
    """What the dashboard asks for, with its variables filled in as Grafana would."""
    for panel in panels:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"].replace("$__rate_interval", "1m").replace("$namespace", ".*")


def test_each_alert_fires_on_what_it_is_for_and_on_nothing_else(promtool):
    status, output = promtool("test", "rules", UNIT_TESTS)
    assert status == 0, output


def test_every_alert_has_a_unit_test(alerts):
    tested = set(re.findall(r'alertname="(\w+)"', UNIT_TESTS.read_text()))
    assert tested == set(alerts)


def test_prometheus_takes_the_rules_and_the_configuration_of_compose(promtool, deploy):
    for arguments in (("check", "rules", "--lint=all", "--lint-fatal", deploy / "prometheus" / "alerts.yaml"),
                      ("check", "config", deploy / "prometheus" / "prometheus.yaml")):
        status, output = promtool(*arguments)
        assert status == 0, output


def test_alerts_ask_only_for_metrics_that_exist(alerts):
    assert {name: unknown_names(rule["expr"]) for name, rule in alerts.items() if unknown_names(rule["expr"])} == {}


def test_every_alert_says_how_bad_it_is_and_what_it_means(alerts):
    for name, rule in alerts.items():
        assert rule["labels"]["severity"] in ("critical", "warning", "info"), name
        assert set(rule["annotations"]) == {"summary", "description"}, name
        # A text may show labels that its expression keeps, and no others: they would be empty.
        kept = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", rule["expr"]))))
        assert set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) <= kept, name


def test_the_operator_gets_the_same_rules(build):
    done = subprocess.run([HERE / "write_rule", "--check"], text=True, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert build("overlays/production").names("PrometheusRule") == ["care360-lookup"]


def test_the_dashboard_asks_only_for_metrics_that_exist(panels):
    assert {title: unknown_names(e) for title, e in expressions(panels) if unknown_names(e)} == {}


def test_prometheus_understands_every_expression_of_the_dashboard(promtool, panels, tmp_path):
    rules = [{"record": f"panel_{i}", "expr": expression} for i, (_, expression) in enumerate(expressions(panels))]
    file = tmp_path / "dashboard.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    status, output = promtool("check", "rules", file)
    assert status == 0, output
    assert f"{len(rules)} rules found" in output and len(rules) > 30


def test_the_dashboard_shows_most_of_what_there_is(panels):
    """What is not on it is there for looking closer, and listed here so that it is left out on purpose."""
    shown = {name for _, expression in expressions(panels) for name in SERIES if re.search(rf"\b{name}\b", expression)}
    left_out = {name for name in SERIES if name.startswith("care360_lookup_")} - shown
    assert left_out == {"care360_lookup_committed_offset", "care360_lookup_config_last_reload_success_timestamp_seconds",
                        "care360_lookup_event_duration_seconds_count", "care360_lookup_event_duration_seconds_sum"}


def test_panels_do_not_lie_upon_each_other(panels):
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_the_autoscaler_asks_for_a_metric_that_exists(build):
    [metric] = build("overlays/hpa").one("HorizontalPodAutoscaler")["spec"]["metrics"]
    named = metric["external"]["metric"]
    assert named["selector"]["matchLabels"].keys() <= SERIES[named["name"]]


@pytest.mark.parametrize("expression, unknown", [
    ("sum(care360_lookup_nope)", "care360_lookup_nope"),
    ('care360_lookup_line_stopped{why="x"}', "care360_lookup_line_stopped{why}"),
    ("sum by (customer) (care360_lookup_ready)", "customer"),
    ("up == 0", "no metric in 'up == 0'"),
])
def test_a_name_that_does_not_exist_is_found(expression, unknown):
    assert unknown_names(expression) == {unknown}
