# SPDX-License-Identifier: Apache-2.0
"""Limits that must fit into each other, with the arithmetic that says how."""

import copy

import yaml

from checks.patroni import dynamic
from manifests import named

# A reader that clones streams its base backup and, beside it, the log that is written meanwhile.
SENDERS_OF_A_CLONE = 2
# postgres-backup clones a standby, which may be the only member that is left; postgres-wal streams.
SENDERS_OF_A_BACKUP = 2
SENDERS_OF_THE_LOG = 1
# Slots of readers that are gone stay for member_slots_ttl. The HPA takes one away in 10 minutes; in
# a rollout each is replaced, and one after another needs more than 5 minutes only if it is slow.
# Worst: all of them were replaced within the 5 minutes.
PATRONIS_CONNECTIONS = 10
RESERVED_FOR_SUPERUSERS = 3
# martlet's own connections to a node: the lag of each, its catalogue, its look-up of secrets.
SERVICE_CONNECTIONS = 4
# psql, exporters, migrations that go past martlet, the application's own tools.
OTHERS = 20


def maximum(objects, name):
    """maxReplicas of an HPA, or of KEDA's object."""
    for one in objects:
        spec = one.get("spec", {})
        if spec.get("scaleTargetRef", {}).get("name") == name:
            return spec.get("maxReplicas") or spec["maxReplicaCount"]
    raise LookupError(name)


def surge(objects, name):
    """How many pods a rollout adds."""
    return named(objects, "Deployment", name)["spec"]["strategy"]["rollingUpdate"]["maxSurge"]


def members(objects):
    """Of the StatefulSet."""
    return named(objects, "StatefulSet", "postgres-cluster")["spec"]["replicas"]


def senders(objects):
    """The worst case of max_wal_senders: one node serves everybody, and every reader clones.

    (members - 1) stream; each reader, and the one that a rollout adds, clones with two; the backup
    and the log come on top.
    """
    readers = maximum(objects, "postgres-readonly") + surge(objects, "postgres-readonly")
    return (members(objects) - 1 + readers * SENDERS_OF_A_CLONE
            + SENDERS_OF_A_BACKUP + SENDERS_OF_THE_LOG)


def slots(objects):
    """The worst case of max_replication_slots: readers, as many that have just gone, and "backup"."""
    readers = maximum(objects, "postgres-readonly") + surge(objects, "postgres-readonly")
    permanent = len(dynamic(objects).get("slots", {}))
    # A clone has a slot of its own while it runs (pg_basebackup), as has the backup.
    return members(objects) - 1 + 3 * readers + permanent + 1


def connections(objects):
    """The worst case of max_connections: every martlet uses all it may.

    In a rollout there is one more for a moment, whose clients the others have lost: the sum is the
    same.
    """
    settings = yaml.safe_load(named(objects, "ConfigMap", "martlet")["data"]["martlet.yaml"])
    proxies = maximum(objects, "martlet")
    each = settings["pools"]["servers_per_node"] + SERVICE_CONNECTIONS
    return proxies * each + PATRONIS_CONNECTIONS + RESERVED_FOR_SUPERUSERS + OTHERS


def over(objects):
    """What does not fit."""
    parameters = dynamic(objects)["postgresql"]["parameters"]
    for name, needed in (("max_wal_senders", senders(objects)),
                         ("max_replication_slots", slots(objects)),
                         ("max_connections", connections(objects))):
        if needed > int(parameters[name]):
            yield f"{name} is {parameters[name]}, {needed} are needed"


def test_the_arithmetic(base):
    """In figures: what the base needs."""
    assert senders(base) == (3 - 1) + (8 + 1) * 2 + 2 + 1 == 23
    assert slots(base) == (3 - 1) + 3 * (8 + 1) + 1 + 1 == 31
    assert connections(base) == 4 * (60 + 4) + 10 + 3 + 20 == 289


def test_everything_fits(variants):
    """In every variant."""
    problems = [f"{name}: {problem}" for name, objects in variants.items()
                for problem in over(objects)]
    assert not problems, "\n".join(problems[:20])


def test_what_does_not_fit_is_seen(base):
    """More readers, or more martlets, than there is room for."""
    for name, replicas in (("postgres-readonly", 30), ("martlet", 6)):
        changed = copy.deepcopy(base)
        named(changed, "HorizontalPodAutoscaler", name)["spec"]["maxReplicas"] = replicas
        assert list(over(changed)), name


def test_scaling_is_slow(variants):
    """One reader at a time, and slower down than up: each copies the whole database."""
    for name, objects in variants.items():
        for one in objects:
            spec = one.get("spec", {})
            if one["kind"] == "ScaledObject":
                behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
                assert spec["minReplicaCount"] >= 1 and "fallback" in spec, name
            elif one["kind"] == "HorizontalPodAutoscaler" and one["metadata"]["name"] != "martlet":
                behavior = spec["behavior"]
                assert spec["minReplicas"] >= 1, name
            else:
                continue
            up, down = behavior["scaleUp"], behavior["scaleDown"]
            assert [policy["value"] for policy in up["policies"]] == [1], name
            assert [policy["value"] for policy in down["policies"]] == [1], name
            # The API takes no more than these.
            assert 0 < up["stabilizationWindowSeconds"] < down["stabilizationWindowSeconds"] <= 3600
            for policy in up["policies"] + down["policies"]:
                assert policy["periodSeconds"] <= 1800, name
