# SPDX-License-Identifier: Apache-2.0
"""Alerts by promtool, each with series that make it fire and others that do not; and every query of
alerts and dashboard names a metric that there is."""

import inspect
import json
import re
import shutil
import subprocess

import patroni.api
import pytest
import yaml

import manifests
from alert_cases import CASES

# Not from here: kube-state-metrics and the kubelet, by their documentation.
CLUSTER_METRICS = {
    "kube_horizontalpodautoscaler_status_current_replicas",
    "kube_horizontalpodautoscaler_status_desired_replicas",
    "kube_horizontalpodautoscaler_spec_max_replicas",
    "kube_cronjob_status_last_successful_time", "kube_cronjob_created",
    "kube_deployment_status_replicas_available",
    "kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes",
}
METRIC = re.compile(r"\b((?:patroni|martlet|process|kube|kubelet)_[a-z0-9_]+)\b")
HISTOGRAM = re.compile(r"_(bucket|sum|count)$")
OBJECTS = manifests.render(("monitoring",))


def rules():
    """Every alert, in the order of the file."""
    spec = manifests.named(OBJECTS, "PrometheusRule", "postgres-cluster")["spec"]
    return [rule for group in spec["groups"] for rule in group["rules"]]


def dashboard():
    """The dashboard as Grafana gets it."""
    data = manifests.named(OBJECTS, "ConfigMap", "postgres-dashboard")["data"]
    return json.loads(data["martlet.json"])


def promtool(*arguments):
    """Its output; it must be content."""
    tool = shutil.which("promtool")
    assert tool, "there is no promtool; Tests/run kubernetes installs it"
    done = subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def rules_file(tmp_path_factory):
    """The rules as Prometheus reads them."""
    path = tmp_path_factory.mktemp("alerts") / "rules.yaml"
    spec = manifests.named(OBJECTS, "PrometheusRule", "postgres-cluster")["spec"]
    path.write_text(yaml.safe_dump(spec))
    return path


def unit_test(case, given, fires):
    """One test in promtool's form: the alert's own series says for which labels it fires."""
    severity = next(rule for rule in rules() if rule["alert"] == case.alert)["labels"]["severity"]
    labels = {"alertname": case.alert, "alertstate": "firing", "severity": severity} | case.labels
    text = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return {
        "interval": case.step,
        "input_series": [{"series": name, "values": values} for name, values in given],
        "promql_expr_test": [{
            "expr": f'ALERTS{{alertname="{case.alert}",alertstate="firing"}}',
            "eval_time": f"{case.steps}{case.step[-1]}",
            "exp_samples": [{"labels": f"ALERTS{{{text}}}", "value": 1}] if fires else [],
        }],
    }


def test_rules_are_valid(rules_file):
    """promtool check rules."""
    assert f"{len(rules())} rules found" in promtool("check", "rules", rules_file)


def run(rules_file, tests, step="1m"):
    """promtool test rules; the pace is that of a whole file."""
    path = rules_file.parent / "tests.yaml"
    path.write_text(yaml.safe_dump(
        {"rule_files": [str(rules_file)], "evaluation_interval": step, "tests": tests}))
    assert "SUCCESS" in promtool("test", "rules", path)


@pytest.mark.parametrize("step", ["1m", "1h"])
def test_alerts(step, rules_file):
    """Each fires when it must and at no other time."""
    run(rules_file, [unit_test(case, given, fires) for case in CASES if case.step == step
                     for given, fires in ((case.fires, True), (case.quiet, False))], step)


def test_alerts_wait(rules_file):
    """None fires at once: a failover is not an incident."""
    tests = []
    for case in CASES:
        one = unit_test(case, case.fires, False)
        one["promql_expr_test"][0]["eval_time"] = "0m"
        tests.append(one)
    run(rules_file, tests)


def test_every_alert_has_a_case():
    """And nothing else has."""
    assert sorted(case.alert for case in CASES) == sorted(rule["alert"] for rule in rules())


def test_annotations_expand(rules_file):
    """What an operator reads: values and labels in their places, in one alert of each kind."""
    tests = []
    for name, summary in (
            ("PostgresReplicaLags", "pg-1 is 286.1MiB behind"),
            ("MartletBadPasswords", "5 wrong passwords a second"),
            ("PostgresVolumeFull", "pgdata-postgres-cluster-0 is nearly full")):
        case = next(one for one in CASES if one.alert == name)
        rule = next(one for one in rules() if one["alert"] == name)
        description = rule["annotations"]["description"].replace(
            "{{ $value | humanizePercentage }}", "10%")
        one = unit_test(case, case.fires, True)
        del one["promql_expr_test"]
        one["alert_rule_test"] = [{
            "alertname": name, "eval_time": f"{case.steps}{case.step[-1]}",
            "exp_alerts": [{"exp_labels": {"severity": rule["labels"]["severity"]} | case.labels,
                            "exp_annotations": {"summary": summary, "description": description}}]}]
        tests.append(one)
    run(rules_file, tests)


def existing():
    """Metrics of Patroni's source, of martlet's manual, and of the cluster."""
    found = set(re.findall(r"# TYPE (patroni_[a-z_]+)", inspect.getsource(patroni.api)))
    text = (manifests.REPOSITORY / "Sources/martlet/Documentation.docc/Metrics.md").read_text()
    found |= set(re.findall(r"^\| `((?:martlet|process)_[a-z0-9_]+)`", text, re.MULTILINE))
    assert len(found) > 50
    return found | CLUSTER_METRICS


def queries():
    """Where each stands, and its text."""
    for rule in rules():
        yield f"alert {rule['alert']}", rule["expr"]
    board = dashboard()
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']}", target["expr"]
    for one in board["annotations"]["list"]:
        yield f"annotation {one['name']}", one["expr"]
    for one in board["templating"]["list"]:
        yield f"variable {one['name']}", one["query"]
    adapter = manifests.COMPONENTS / "hpa-prometheus-adapter/adapter-values.yaml"
    for rule in yaml.safe_load(adapter.read_text())["rules"]["external"]:
        yield "prometheus-adapter", rule["seriesQuery"]


def test_queries_name_metrics_that_exist():
    """As Patroni, martlet and the cluster have them."""
    known, seen = existing(), set()
    for place, query in queries():
        for name in METRIC.findall(query):
            if f"{name}" in ("patroni_primary", "martlet_build_info"):
                seen.add(name)
            assert HISTOGRAM.sub("", name) in known or name in known, f"{place}: {name}"
    assert seen


def test_martlets_labels_exist():
    """Labels of martlet's metrics in queries are those of the manual."""
    text = (manifests.REPOSITORY / "Sources/martlet/Documentation.docc/Metrics.md").read_text()
    labels = {name: set(re.findall(r"`([a-z]+)`", column)) | {"namespace", "pod", "le"}
              for name, column in re.findall(
                  r"^\| `(martlet_[a-z0-9_]+)` \| [a-z]+ \| ([^|]*)\|", text, re.MULTILINE)}
    for place, query in queries():
        for name, matchers in re.findall(r"(martlet_[a-z0-9_]+)\{([^}]*)\}", query):
            for label in re.findall(r"(\w+)\s*[=!]~?\s*\"", matchers):
                assert label in labels[HISTOGRAM.sub("", name)], f"{place}: {name} has no {label}"
        for by, name in re.findall(r"by \(([a-z_, ]+)\) \((?:rate\()?(martlet_[a-z0-9_]+)", query):
            for label in by.split(", "):
                assert label in labels[HISTOGRAM.sub("", name)], f"{place}: {name} has no {label}"


def test_dashboard_is_whole():
    """Numbers are unique, panels do not overlap, and every query parses."""
    board = dashboard()
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(numbers) == len(set(numbers))
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert not taken & cells and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells


def test_dashboard_queries_parse(rules_file):
    """Each as the expression of a rule, which promtool reads."""
    found = [query.replace("$namespace", "db") for place, query in queries()
             if place.startswith(("panel", "annotation"))]
    path = rules_file.parent / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": [
        {"record": f"query:number:{number}", "expr": query} for number, query in enumerate(found)]}]}))
    assert f"{len(found)} rules found" in promtool("check", "rules", path)
