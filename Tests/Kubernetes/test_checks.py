# SPDX-License-Identifier: Apache-2.0
"""Each check can fail: a manifest that was broken on purpose is seen by the check that is meant."""

import copy

import pytest

import checks
import manifests
from checks import environment, identity, patroni, pods, references, roles, selectors, storage
from manifests import named


def workload(objects, name):
    """Its pod's template."""
    kind = "StatefulSet" if name == "postgres-cluster" else "Deployment"
    return named(objects, kind, name)["spec"]["template"]


def container(objects, name):
    """Its first container."""
    return workload(objects, name)["spec"]["containers"][0]


def text(objects, name, key, old, new):
    """Replaces a piece of a ConfigMap's text."""
    data = named(objects, "ConfigMap", name)["data"]
    assert old in data[key], f"{old} is not in {name}"
    data[key] = data[key].replace(old, new)


def rename(objects, kind, name, new):
    """Another name for an object."""
    named(objects, kind, name)["metadata"]["name"] = new


def drop_environment(objects, name, variable):
    """Moves a variable to the end, after those that refer to it."""
    variables = container(objects, name)["env"]
    one = next(x for x in variables if x["name"] == variable)
    variables.remove(one)
    variables.append(one)


TLS = ("monitoring", "tls-cert-manager")
METRICS = ("hpa-external-metrics",)
P, R, M = "postgres-cluster", "postgres-readonly", "martlet"
# Check, components, and what is done to the manifests.
BREAKS = [
    (selectors.check_workloads, (), lambda o: workload(o, M)["metadata"]["labels"].update(
        {"app.kubernetes.io/component": "member"})),
    (selectors.check_selectors, (), lambda o: named(o, "Service", P)["spec"]["selector"].pop("role")),
    (selectors.check_selectors, (), lambda o: named(o, "Service", M)["spec"]["selector"].pop(
        "app.kubernetes.io/component")),
    (selectors.check_selectors, (), lambda o: named(o, "PodDisruptionBudget", R)["spec"][
        "selector"].update(matchLabels={"app.kubernetes.io/name": P, "application": "patroni"})),
    (selectors.check_spreading, (), lambda o: workload(o, P)["spec"]["affinity"]["podAntiAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"][0]["labelSelector"].update(
            matchLabels={"app": "postgres"})),
    (selectors.check_budgets_cover, (), lambda o: o.remove(named(o, "PodDisruptionBudget", P))),
    (references.check_keys, (), lambda o: container(o, P)["env"].append(
        {"name": "X", "valueFrom": {"secretKeyRef": {"name": "db", "key": "NOT_THERE"}}})),
    (references.check_keys, (), lambda o: named(o, "ConfigMap", "patroni-reader").update(data={})),
    (references.check_keys, TLS, lambda o: o.remove(named(o, "Certificate", "martlet-tls"))),
    (references.check_config_maps_used, (), lambda o: workload(o, R)["spec"]["volumes"][0][
        "projected"]["sources"].pop()),
    (references.check_ports, (), lambda o: named(o, "Service", M)["spec"]["ports"][0].update(
        targetPort="http2")),
    (references.check_ports, (), lambda o: container(o, P)["ports"].pop()),
    (references.check_headless, (), lambda o: named(o, "StatefulSet", P)["spec"].update(
        serviceName=P)),
    (references.check_headless, (), lambda o: named(o, "Service", f"{P}-headless")["spec"].update(
        publishNotReadyAddresses=False)),
    (references.check_volumes, (), lambda o: container(o, P)["volumeMounts"].pop()),
    (references.check_names, (), lambda o: o.remove(named(o, "ServiceAccount", M))),
    (references.check_names, ("storage-ebs",), lambda o: o.remove(
        named(o, "StorageClass", "postgres-gp3-reader"))),
    (references.check_names, METRICS, lambda o: rename(o, "Service", "martlet-metrics", "x")),
    (environment.check_known, (), lambda o: container(o, P)["env"].append(
        {"name": "PATRONI_POSTGRES_PASSWORD", "value": "x"})),
    (environment.check_known, (), lambda o: container(o, M).setdefault("env", []).append(
        {"name": "MARTLET_POOL_SIZE", "value": "8"})),
    (environment.check_order, (), lambda o: drop_environment(o, P, "PATRONI_KUBERNETES_POD_IP")),
    (environment.check_texts, (), lambda o: container(o, P)["env"].append(
        {"name": "X", "value": 5432})),
    (patroni.check_labels, (), lambda o: workload(o, R)["metadata"]["labels"].pop("cluster-name")),
    (patroni.check_labels, (), lambda o: text(
        o, "patroni-config", "patroni.yml", "use_endpoints: false", "use_endpoints: true")),
    (patroni.check_scope, (), lambda o: text(
        o, "patroni-config", "patroni.yml", "scope: postgres-cluster", "scope: postgres")),
    (patroni.check_scope, (), lambda o: rename(
        o, "ConfigMap", "postgres-config", "postgres-cluster-config")),
    (patroni.check_order, (), lambda o: workload(o, R)["spec"]["volumes"][0]["projected"][
        "sources"][1]["configMap"]["items"][0].update(path="50-reader.yml")),
    (patroni.check_timing, (), lambda o: text(
        o, "patroni-config", "patroni.yml", "ttl: 30", "ttl: 20")),
    (patroni.check_timing, ("sync-quorum",), lambda o: named(o, "StatefulSet", P)["spec"].update(
        replicas=2)),
    (patroni.check_rewind, (), lambda o: text(
        o, "patroni-config", "patroni.yml", "- data-checksums", "- sync-only")),
    (patroni.check_rewind, (), lambda o: named(o, "StatefulSet", P)["spec"]["volumeClaimTemplates"][
        0]["spec"]["resources"]["requests"].update(storage="1Gi")),
    (patroni.check_readers, (), lambda o: text(
        o, "patroni-reader", "reader.yml", "nofailover: true", "nofailover: false")),
    (patroni.check_paths, (), lambda o: text(
        o, "patroni-config", "patroni.yml", "data_dir: /var/lib/postgresql/18/main",
        "data_dir: /var/lib/postgresql")),
    (patroni.check_paths, TLS, lambda o: container(o, R)["volumeMounts"].pop()),
    (patroni.check_hba, (), lambda o: text(
        o, "patroni-config", "patroni.yml", "host all all all scram-sha-256",
        "host all all all trust")),
    (patroni.check_hba, TLS, lambda o: text(
        o, "patroni-tls", "tls.yml", "hostssl all all all", "host all all all")),
    (patroni.check_rest, (), lambda o: text(
        o, "patroni-config", "patroni.yml", "thread_pool_size: 20", "thread_pool_size: 5")),
    (patroni.check_rest, TLS, lambda o: container(o, P)["livenessProbe"]["httpGet"].pop("scheme")),
    (patroni.check_rest, TLS, lambda o: named(o, "PodMonitor", P)["spec"]["podMetricsEndpoints"][
        0].pop("scheme")),
    (patroni.check_encryption, TLS, lambda o: text(
        o, "patroni-tls", "tls.yml", "replication: {sslmode: verify-full", "replication: {sslmode: require")),
    (pods.check_restricted, (), lambda o: container(o, M)["securityContext"].update(
        readOnlyRootFilesystem=False)),
    (pods.check_restricted, (), lambda o: workload(o, P)["spec"]["securityContext"].update(
        runAsUser=0)),
    (pods.check_token, (), lambda o: workload(o, R)["spec"].pop("automountServiceAccountToken")),
    (pods.check_images, (), lambda o: container(o, M).update(image="martlet:latest")),
    (pods.check_images, (), lambda o: container(o, R).update(image="martlet-patroni:17-4.1.5")),
    (pods.check_resources, (), lambda o: container(o, P)["resources"]["limits"].update(memory="4Gi")),
    (pods.check_resources, (), lambda o: container(o, P)["resources"]["limits"].update(cpu="200m")),
    (pods.check_memory, (), lambda o: text(
        o, "patroni-config", "patroni.yml", "shared_buffers: 512MB", "shared_buffers: 2GB")),
    (pods.check_probes, (), lambda o: container(o, P).pop("startupProbe")),
    (pods.check_probes, (), lambda o: container(o, P)["livenessProbe"]["httpGet"].update(
        path="/primary")),
    (pods.check_ending, (), lambda o: workload(o, P)["spec"].pop("terminationGracePeriodSeconds")),
    (pods.check_ending, (), lambda o: text(
        o, "martlet", "martlet.yaml", "drain_timeout: 30s", "drain_timeout: 300s")),
    (pods.check_updates, (), lambda o: named(o, "StatefulSet", P)["spec"].update(
        podManagementPolicy="OrderedReady")),
    (pods.check_updates, (), lambda o: named(o, "HorizontalPodAutoscaler", R)["spec"][
        "scaleTargetRef"].update(kind="StatefulSet", name=P)),
    (roles.check_rules, (), lambda o: named(o, "Role", P)["rules"][2]["verbs"].append("delete")),
    (roles.check_rules, (), lambda o: named(o, "Role", P)["rules"][2]["verbs"].remove("patch")),
    (roles.check_rules, (), lambda o: named(o, "Role", M)["rules"].append(
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]})),
    (roles.check_limits, (), lambda o: named(o, "Role", P)["rules"][1].pop("resourceNames")),
    (roles.check_bindings, (), lambda o: named(o, "RoleBinding", M)["subjects"].append(
        {"kind": "ServiceAccount", "name": "default"})),
    (identity.check_unique, (), lambda o: o.append(named(o, "Service", M))),
    (identity.check_namespace, (), lambda o: named(o, "Service", M)["metadata"].update(
        namespace="default")),
    (identity.check_namespace, METRICS, lambda o: named(
        o, "APIService", "v1beta1.external.metrics.k8s.io")["spec"]["service"].update(
            namespace="default")),
    (identity.check_namespace, TLS, lambda o: named(o, "Certificate", "martlet-tls")["spec"][
        "dnsNames"].append("martlet.default.svc")),
    (identity.check_labels, TLS, lambda o: named(o, "PrometheusRule", P)["metadata"]["labels"].pop(
        "release")),
    (storage.check_classes, ("storage-efs",), lambda o: named(o, "StorageClass", "postgres-efs")[
        "parameters"].pop("uid")),
    (storage.check_classes, ("storage-ebs",), lambda o: named(o, "StorageClass", "postgres-gp3")
        .update(volumeBindingMode="Immediate")),
    (storage.check_data, (), lambda o: named(o, "StatefulSet", P)["spec"]["volumeClaimTemplates"][
        0]["spec"].update(accessModes=["ReadWriteMany"])),
    (storage.check_data, ("storage-ebs",), lambda o: named(o, "StatefulSet", P)["spec"][
        "volumeClaimTemplates"][0]["spec"].update(storageClassName="postgres-gp3-reader")),
    (storage.check_sizes, (), lambda o: named(o, "StatefulSet", P)["spec"]["volumeClaimTemplates"][
        0]["spec"]["resources"]["requests"].update(storage="60Gi")),
    (storage.check_backups, ("storage-ebs",), lambda o: named(o, "PersistentVolumeClaim",
        "postgres-backup")["spec"].update(accessModes=["ReadWriteMany"])),
]


@pytest.mark.parametrize("number", range(len(BREAKS)), ids=lambda number: (
    f"{number}-{BREAKS[number][0].__module__.split('.')[-1]}."
    f"{BREAKS[number][0].__name__.removeprefix('check_')}"))
def test_sees(number):
    """The check finds nothing in the manifests as they are, and something once they are broken."""
    check, components, damage = BREAKS[number]
    objects = copy.deepcopy(manifests.render(components))
    before = list(check(objects))
    damage(objects)
    assert set(check(objects)) - set(before), "the damage was not seen"


def test_none_is_forgotten():
    """Each check is broken at least once."""
    assert {check for check, _, _ in BREAKS} == set(checks.ALL)
