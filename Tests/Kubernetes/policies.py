# SPDX-License-Identifier: Apache-2.0
"""An evaluator of NetworkPolicies, as the documentation of Kubernetes defines them.

A pod that no policy selects for a direction may do everything in it; one that is selected may do what
any of these policies allows. A connection needs both ends' consent. Whether an ipBlock takes pods,
too, is left to the network plugin: Calico says yes, Cilium no. So there are two readings, and what
must be allowed is asked in the narrow one, what must be denied in the wide one.
"""

import ipaddress
from dataclasses import dataclass, field

from checks.selectors import matches


@dataclass(frozen=True)
class Place:
    """A pod, or an address outside of the cluster where there are no labels."""

    name: str
    address: str
    labels: dict = field(default_factory=dict, hash=False)
    namespace: str = ""
    is_pod: bool = True


def namespace_labels(name):
    """The label that Kubernetes puts on every namespace."""
    return {"kubernetes.io/metadata.name": name}


def in_block(block, address):
    """Whether an ipBlock takes an address."""
    here = ipaddress.ip_address(address)
    if here not in ipaddress.ip_network(block["cidr"]):
        return False
    return not any(here in ipaddress.ip_network(one) for one in block.get("except", []))


def takes(peer, place, home, wide):
    """Whether one entry of from or to takes a place; home is the policy's namespace."""
    if "ipBlock" in peer:
        if place.is_pod and not wide:
            return False
        return in_block(peer["ipBlock"], place.address)
    if not place.is_pod:
        return False
    if "namespaceSelector" in peer:
        if not matches(peer["namespaceSelector"], namespace_labels(place.namespace)):
            return False
    elif place.namespace != home:
        return False
    return matches(peer.get("podSelector", {}), place.labels)


def port_fits(ports, port, protocol):
    """Whether a rule's ports take this one; no ports are all."""
    if not ports:
        return True
    for one in ports:
        if one.get("protocol", "TCP") != protocol:
            continue
        if "port" not in one or one["port"] <= port <= one.get("endPort", one["port"]):
            return True
    return False


def consents(policies, side, place, other, port, protocol, wide):
    """Whether the policies on one side, ingress or egress, let the other in or reach it."""
    if not place.is_pod:
        return True
    selecting = [
        one for one in policies
        if one["metadata"]["namespace"] == place.namespace
        and side.capitalize() in one["spec"]["policyTypes"]
        and matches(one["spec"]["podSelector"], place.labels)]
    if not selecting:
        return True
    direction = "from" if side == "ingress" else "to"
    for one in selecting:
        for rule in one["spec"].get(side) or []:
            peers = rule.get(direction)
            if not port_fits(rule.get("ports"), port, protocol):
                continue
            if not peers or any(
                    takes(peer, other, one["metadata"]["namespace"], wide) for peer in peers):
                return True
    return False


def allowed(policies, source, target, port, protocol="TCP", wide=False):
    """Whether a connection comes about."""
    return consents(policies, "egress", source, target, port, protocol, wide) and consents(
        policies, "ingress", target, source, port, protocol, wide)
