# SPDX-License-Identifier: Apache-2.0
"""Who talks to whom: every flow of the table is allowed, and everything else is denied."""

import copy

import pytest

import manifests
from policies import Place, allowed

HERE = "databases"


def ours(component, address, **labels):
    """A pod of the cluster."""
    name = {"app.kubernetes.io/name": "postgres-cluster", "app.kubernetes.io/component": component}
    return Place(component, address, name | labels, HERE)


PLACES = {place.name: place for place in (
    ours("member", "10.1.0.1", **{"application": "patroni", "cluster-name": "postgres-cluster"}),
    ours("reader", "10.1.0.2", **{"application": "patroni", "cluster-name": "postgres-cluster"}),
    ours("proxy", "10.1.0.3"),
    ours("backup", "10.1.0.4"),
    ours("wal", "10.1.0.5"),
    # An application that was let in, and one that was not; the latter in our namespace, too.
    Place("client", "10.1.0.6", {"martlet.client": "true"}, "shop"),
    Place("stranger", "10.1.0.7", {"app": "other"}, HERE),
    Place("outsider", "10.1.0.8", {"app": "other"}, "shop"),
    Place("prometheus", "10.1.0.9", {"app.kubernetes.io/name": "prometheus"}, "monitoring"),
    Place("keda", "10.1.0.10", {"app": "keda-operator"}, "keda"),
    Place("dns", "10.1.0.11", {"k8s-app": "kube-dns"}, "kube-system"),
    Place("node-dns", "169.254.20.10", is_pod=False),
    Place("api", "10.0.0.1", is_pod=False),
    Place("metadata", "169.254.169.254", is_pod=False),
    Place("internet", "93.184.216.34", is_pod=False),
)}
OURS = ("member", "reader", "proxy", "backup", "wal")

# from, to, ports, and what for.
FLOWS = """
member  member      5432 8008   replication, rewind, clones; who leads, failsafe
member  reader      8008        failsafe: the primary asks every member, readers included
reader  member      5432 8008   replication and clones; who leads
proxy   member      5432 8008   statements; who leads
proxy   reader      5432 8008   reads; how far it is
proxy   proxy       5432 9432   cancel requests of the others' sessions; their load
backup  member      5432        pg_basebackup from a standby
wal     member      5432        pg_receivewal from the primary
client  proxy       5432        the application
prometheus member   8008        metrics
prometheus reader   8008
prometheus proxy    9432
member  api         443 6443 8443   Patroni's state
reader  api         443 6443 8443
proxy   api         443 6443 8443   pods and the leader, watched
member  dns         53          names
reader  dns         53
proxy   dns         53
backup  dns         53
wal     dns         53
member  node-dns    53
reader  node-dns    53
proxy   node-dns    53
backup  node-dns    53
wal     node-dns    53
"""
# Those of a component, beside the above.
MORE = {
    "hpa-external-metrics": "api proxy 6443  the autoscaler, through the API server",
    "hpa-keda": "keda proxy 9432  /autoscale",
}
# What is allowed in the wide reading because the API server's address is not known beforehand: those
# who need it reach these ports of any address, and martlet's metrics API answers any, by mutual TLS.
API_PORTS = (443, 6443, 8443)
PORTS = (22, 53, 443, 2379, 5432, 6443, 8008, 8443, 9187, 9432)


def table(text):
    """(from, to, port) of each flow."""
    found = set()
    for line in filter(str.strip, text.splitlines()):
        source, target, *rest = line.split()
        for word in rest:
            if not word.isdigit():
                break
            found.add((source, target, int(word)))
    return found


def flows_of(name):
    """The table of a variant."""
    return table(FLOWS + "".join(f"\n{text}" for one, text in MORE.items() if one in name or (
        name == "overlay eks" and one == "hpa-external-metrics")))


def problems(objects, wanted):
    """Flows that are missing, and those that are too many."""
    policies = [one for one in objects if one["kind"] == "NetworkPolicy"]
    for source, target, port in wanted:
        protocols = ("TCP", "UDP") if port == 53 else ("TCP",)
        for protocol in protocols:
            if not allowed(policies, PLACES[source], PLACES[target], port, protocol):
                yield f"{source} does not reach {target}:{port}/{protocol}"
    for source in PLACES:
        for target in PLACES:
            if source not in OURS and target not in OURS:
                continue
            for port in PORTS:
                if (source, target, port) in wanted or may_be(source, target, port, wanted):
                    continue
                if allowed(policies, PLACES[source], PLACES[target], port, wide=True):
                    yield f"{source} reaches {target}:{port}"


def may_be(source, target, port, wanted):
    """What only a network plugin of the wide reading allows, or an address not known beforehand."""
    if port not in API_PORTS:
        return False
    into = ("api", "proxy", 6443) in wanted and target == "proxy" and port == 6443
    out = source in ("member", "reader", "proxy") and target != "metadata"
    if source in OURS and target in OURS:
        return into and out
    return into if target in OURS else out


def test_the_table(variants):
    """In every variant."""
    found = [f"{name}: {one}" for name, objects in variants.items()
             for one in problems(objects, flows_of(name))]
    assert not found, "\n".join(found[:20])


def test_everything_of_ours_is_denied_first(base):
    """Without its other policies no pod of the cluster says or hears anything."""
    alone = [one for one in base if one["metadata"]["name"] == "postgres-default-deny"]
    for source in PLACES:
        for target in PLACES:
            if source in OURS or target in OURS:
                for port in PORTS:
                    assert not allowed(alone, PLACES[source], PLACES[target], port, wide=True)


@pytest.mark.parametrize("number", range(8))
def test_each_policy_is_needed(number, base):
    """Without one of them, flows are missing, or too many: the table sees each."""
    names = [one["metadata"]["name"] for one in base if one["kind"] == "NetworkPolicy"]
    assert len(names) == 8
    rest = [one for one in base if one["metadata"]["name"] != names[number]
            or one["kind"] != "NetworkPolicy"]
    if names[number] == "postgres-default-deny":
        # The others select everybody as well; this is for a pod of a component that they forget.
        forgotten = ours("new", "10.1.0.20")
        policies = [one for one in rest if one["kind"] == "NetworkPolicy"]
        assert allowed(policies, PLACES["stranger"], forgotten, 5432)
        return
    assert list(problems(rest, flows_of("base"))), names[number]


def test_a_rule_too_many_is_seen(base):
    """A port or a peer more, where the other side is not ours and consents to everything."""
    changes = {
        "a port": lambda rules: rules[2]["ports"].append({"protocol": "TCP", "port": 22}),
        "a peer": lambda rules: rules[0]["from"].append({"podSelector": {}}),
        "a namespace": lambda rules: rules[0]["from"].append({"namespaceSelector": {}}),
        "everybody": lambda rules: rules.append({}),
    }
    for name, change in changes.items():
        objects = copy.deepcopy(base)
        change(manifests.named(objects, "NetworkPolicy", "postgres-member")["spec"]["ingress"])
        assert list(problems(objects, flows_of("base"))), name
