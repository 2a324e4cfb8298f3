# SPDX-License-Identifier: Apache-2.0
"""Rights: exactly those that Patroni's and martlet's calls need."""

import functools
import inspect
import re

from patroni.dcs import kubernetes

from manifests import title

# Patroni's calls of the API, by the names of its client's functions.
VERBS = {"read": "get", "list": "list", "create": "create", "patch": "patch"}
# With what they are for where they are not for us.
NOT_OURS = {
    ("service", "create"): "the Service of the configuration, with Endpoints only",
    ("kind", "delete_collection"): "patronictl remove, which ends the cluster",
}
# A list is what a watch begins with.
WATCHED = {"pods", "configmaps"}


@functools.lru_cache(maxsize=None)
def patroni_calls():
    """(resource, verb) of every call in Patroni's source when it keeps its state in ConfigMaps."""
    source = inspect.getsource(kubernetes.Kubernetes)
    found = set()
    for action, kind in re.findall(r"_api\.([a-z_]+)_namespaced_(\w+)", source):
        if (kind, action) in NOT_OURS:
            continue
        found.add(({"pod": "pods", "kind": "configmaps"}[kind], VERBS[action]))
    return frozenset(found | {(resource, "watch") for resource in WATCHED})


# Kind and name of each role: (resource, verb) that it grants.
MARTLET = {("pods", "list"), ("pods", "watch"), ("configmaps", "list"), ("configmaps", "watch")}
METRICS = {("martlet_read_demand", "get"), ("martlet_read_demand", "list")}


def expected():
    """What each role must grant."""
    return {
        ("Role", "postgres-cluster"): patroni_calls(),
        ("Role", "martlet"): MARTLET,
        ("ClusterRole", "martlet-external-metrics"): METRICS,
    }


def granted(role):
    """(resource, verb) of all rules of a role."""
    return {(resource, verb) for rule in role["rules"]
            for resource in rule["resources"] for verb in rule["verbs"]}


def check_rules(objects):
    """Each role grants what is used and no more; nobody may read Secrets."""
    known = expected()
    for one in objects:
        if one["kind"] not in ("Role", "ClusterRole"):
            continue
        wanted = known.get((one["kind"], one["metadata"]["name"]))
        if wanted is None:
            yield f"{title(one)} is in no table"
        elif granted(one) != wanted:
            yield f"{title(one)}: too much {granted(one) - wanted}, missing {wanted - granted(one)}"
        for rule in one["rules"]:
            if "*" in str(rule) or "secrets" in rule["resources"]:
                yield f"{title(one)}: {rule}"


def check_limits(objects):
    """Only what cannot be limited to names is not: Patroni writes its own four ConfigMaps."""
    for one in objects:
        if one["kind"] != "Role":
            continue
        for rule in one["rules"]:
            named = bool(rule.get("resourceNames"))
            writes = {"patch", "update", "delete"} & set(rule["verbs"])
            if rule["resources"] == ["configmaps"] and writes and not named:
                yield f"{title(one)} may change every ConfigMap"
            if named and "create" in rule["verbs"]:
                yield f"{title(one)}: a name limits no create"
            if one["metadata"]["name"] == "martlet" and "configmaps" in rule["resources"]:
                if rule.get("resourceNames") != ["postgres-cluster-leader"]:
                    yield f"{title(one)} may see more than who leads"


def check_bindings(objects):
    """Each account has the role of its own name, and nobody else has one."""
    for one in objects:
        if one["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        subjects = [(subject["kind"], subject["name"]) for subject in one["subjects"]]
        wanted = one["roleRef"]["name"]
        if one["kind"] == "ClusterRoleBinding":
            wanted = "horizontal-pod-autoscaler"
        if subjects != [("ServiceAccount", wanted)]:
            yield f"{title(one)} gives {one['roleRef']['name']} to {subjects}"
    bound = {one["roleRef"]["name"] for one in objects if one["kind"] == "RoleBinding"}
    roles = {one["metadata"]["name"] for one in objects if one["kind"] == "Role"}
    if bound != roles:
        yield f"roles {sorted(roles)}, bound {sorted(bound)}"


CHECKS = (check_rules, check_limits, check_bindings)
