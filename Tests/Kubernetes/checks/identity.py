# SPDX-License-Identifier: Apache-2.0
"""Names: one object each, in one namespace, of one release."""

import re

from manifests import title

CLUSTER_WIDE = {
    "Namespace", "StorageClass", "PriorityClass", "ClusterRole", "ClusterRoleBinding", "APIService"}
# NAME.NAMESPACE.svc, as it stands in texts.
IN_TEXT = re.compile(r"\b(?:martlet|postgres)-?[a-z-]*\.([a-z0-9-]+)\.svc\b")


def check_unique(objects):
    """No two objects of one kind and name."""
    seen = set()
    for one in objects:
        key = one["apiVersion"], one["kind"], one["metadata"]["name"]
        if key in seen:
            yield f"{title(one)} is there twice"
        seen.add(key)


def check_namespace(objects):
    """All of it is in one namespace, and what names that in a text, a certificate say, agrees."""
    inside = {one["metadata"].get("namespace") for one in objects
              if one["kind"] not in CLUSTER_WIDE}
    if len(inside) != 1:
        yield f"objects are in {sorted(map(str, inside))}"
    namespace = next(iter(inside))
    for one in objects:
        if one["kind"] in CLUSTER_WIDE and "namespace" in one["metadata"]:
            yield f"{title(one)} has a namespace"
        for other in set(IN_TEXT.findall(str(one))) - {namespace}:
            yield f"{title(one)} names the namespace {other}"
        if one["kind"] == "APIService":
            wanted = one["spec"]["service"]["namespace"]
            source = one["metadata"]["annotations"]["cert-manager.io/inject-ca-from"]
            if {wanted, source.split("/")[0]} != {namespace}:
                yield f"{title(one)} leads to {wanted}"
        if one["kind"] == "Namespace":
            labels = one["metadata"]["labels"]
            if one["metadata"]["name"] != namespace:
                yield f"{title(one)} is not the one that is used"
            if labels.get("pod-security.kubernetes.io/enforce") != "restricted":
                yield f"{title(one)} admits pods that are not restricted"


def check_labels(objects):
    """Everything of a namespace is found by one label, to be shown or deleted together."""
    for one in objects:
        if one["kind"] in CLUSTER_WIDE:
            continue
        if one["metadata"].get("labels", {}).get("app.kubernetes.io/name") != "postgres-cluster":
            yield f"{title(one)} lacks the label app.kubernetes.io/name"
        if one["kind"] in ("PodMonitor", "PrometheusRule"):
            if one["metadata"]["labels"].get("release") != "prometheus":
                yield f"{title(one)} is not selected by kube-prometheus-stack"


CHECKS = (check_unique, check_namespace, check_labels)
