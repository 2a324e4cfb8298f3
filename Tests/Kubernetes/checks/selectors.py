# SPDX-License-Identifier: Apache-2.0
"""Every selector takes the pods that it means, and no others."""

from manifests import pod_templates, title

# The component of each workload's pods, which every selector tells apart.
WORKLOADS = {
    "StatefulSet postgres-cluster": "member",
    "Deployment postgres-readonly": "reader",
    "Deployment martlet": "proxy",
    "CronJob postgres-backup": "backup",
    "CronJob postgres-restore-test": "backup",
    "Deployment postgres-wal": "wal",
}
PATRONI = {"member", "reader"}
# What each object that selects must find.
MEANT = {
    "Service postgres-cluster": {"member"},
    "Service postgres-cluster-repl": {"member"},
    "Service postgres-cluster-headless": PATRONI,
    "Service postgres-readonly": {"reader"},
    "Service martlet": {"proxy"},
    "Service martlet-headless": {"proxy"},
    "Service martlet-metrics": {"proxy"},
    "PodDisruptionBudget postgres-cluster": {"member"},
    "PodDisruptionBudget postgres-readonly": {"reader"},
    "PodDisruptionBudget martlet": {"proxy"},
    "PodMonitor postgres-cluster": PATRONI,
    "PodMonitor martlet": {"proxy"},
    "StatefulSet postgres-cluster": {"member"},
    "Deployment postgres-readonly": {"reader"},
    "Deployment martlet": {"proxy"},
    "Deployment postgres-wal": {"wal"},
}
# The role that Patroni writes on its pods, which Services may ask for.
ROLES = {"Service postgres-cluster": "primary", "Service postgres-cluster-repl": "replica"}


def matches(selector, labels):
    """Whether a LabelSelector, with expressions or without, takes these labels."""
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for one in selector.get("matchExpressions") or []:
        has, value, values = one["key"] in labels, labels.get(one["key"]), one.get("values", [])
        if not {
            "In": has and value in values,
            "NotIn": value not in values,
            "Exists": has,
            "DoesNotExist": not has,
        }[one["operator"]]:
            return False
    return True


def pods(objects):
    """Component, role and labels of every pod that can be; Patroni's once in each role."""
    for owner, template in pod_templates(objects):
        labels = template["metadata"]["labels"]
        component = WORKLOADS.get(title(owner))
        if labels.get("application") == "patroni":
            for role in ("primary", "replica"):
                yield component, role, labels | {"role": role}
        else:
            yield component, None, labels


def selector_of(one):
    """The selector of an object that has one, as a LabelSelector."""
    selector = one.get("spec", {}).get("selector")
    if not isinstance(selector, dict):
        return None
    return {"matchLabels": selector} if one["kind"] == "Service" else selector


def check_workloads(objects):
    """Pods say which component they are, as the table has it."""
    for owner, template in pod_templates(objects):
        labels = template["metadata"]["labels"]
        expected = WORKLOADS.get(title(owner))
        if labels.get("app.kubernetes.io/component") != expected or not expected:
            yield f"{title(owner)}: its pods are not those of a {expected}"
        if labels.get("app.kubernetes.io/name") != "postgres-cluster":
            yield f"{title(owner)}: its pods lack app.kubernetes.io/name"


def check_selectors(objects):
    """Services, budgets, monitors and workloads find what they mean."""
    everyone = list(pods(objects))
    for one in objects:
        selector = selector_of(one)
        if selector is None:
            continue
        found = {(component, role) for component, role, labels in everyone
                 if matches(selector, labels)}
        wanted_role = ROLES.get(title(one))
        expected = {(component, role) for component, role, _ in everyone
                    if component in MEANT.get(title(one), set())
                    and wanted_role in (None, role)}
        if found != expected or not expected:
            yield f"{title(one)} selects {sorted(map(str, found))}, not {sorted(map(str, expected))}"
        if "app.kubernetes.io/name" not in (selector.get("matchLabels") or {}):
            yield f"{title(one)} selects without app.kubernetes.io/name"


def check_spreading(objects):
    """Affinity and spread constraints are about pods of the workload itself."""
    for owner, template in pod_templates(objects):
        labels = template["metadata"]["labels"]
        spec = template["spec"]
        terms = list(spec.get("topologySpreadConstraints", []))
        anti = spec.get("affinity", {}).get("podAntiAffinity", {})
        terms += anti.get("requiredDuringSchedulingIgnoredDuringExecution", [])
        terms += [one["podAffinityTerm"]
                  for one in anti.get("preferredDuringSchedulingIgnoredDuringExecution", [])]
        for term in terms:
            if not matches(term["labelSelector"], labels):
                yield f"{title(owner)}: spreads over {term['topologyKey']} from others, not itself"
            foreign = [component for component, _, other in pods(objects)
                       if matches(term["labelSelector"], other)
                       and component not in PATRONI | {WORKLOADS.get(title(owner))}]
            if foreign:
                yield f"{title(owner)}: spreads from {sorted(set(foreign))}"


def check_budgets_cover(objects):
    """Each workload that serves has exactly one disruption budget."""
    budgets = [one for one in objects if one["kind"] == "PodDisruptionBudget"]
    for owner, template in pod_templates(objects):
        if WORKLOADS.get(title(owner)) not in ("member", "reader", "proxy"):
            continue
        found = [title(one) for one in budgets
                 if matches(one["spec"]["selector"], template["metadata"]["labels"])]
        if len(found) != 1:
            yield f"{title(owner)} is under {found}"
    for one in budgets:
        if one["spec"].get("maxUnavailable") != 1:
            yield f"{title(one)}: a drain of nodes would wait for ever, or take several at once"


CHECKS = (check_workloads, check_selectors, check_spreading, check_budgets_cover)
