# SPDX-License-Identifier: Apache-2.0
"""Everything that is referred to by name is there: ports, keys, volumes, accounts, classes."""

from manifests import containers, pod_templates, title

from .selectors import matches, pods, selector_of

# The keys of the Secret "db", as deploy/README.md lists them.
DB = {
    "POSTGRES_PASSWORD", "POSTGRES_REPLICATION_PASSWORD", "PATRONI_RESTAPI_PASSWORD",
    "APP_PASSWORD", "MARTLET_PASSWORD",
}
CERTIFICATE = {"tls.crt", "tls.key", "ca.crt"}
# Made by the operator, by a command that stands beside the component that needs it.
BY_HAND = {
    ("Secret", "db"): DB,
    ("ConfigMap", "front-proxy-ca"): {"ca.crt"},
    ("Secret", "pgbackrest-s3"): {
        "PGBACKREST_REPO1_S3_KEY", "PGBACKREST_REPO1_S3_KEY_SECRET", "PGBACKREST_REPO1_CIPHER_PASS"},
}
# Only without cert-manager: tls-secrets/make-secrets.sh.
BY_SCRIPT = {("Secret", "postgres-tls"): CERTIFICATE, ("Secret", "martlet-tls"): CERTIFICATE}


def keys_there(objects):
    """The keys of each Secret and ConfigMap."""
    found = dict(BY_HAND)
    for one in objects:
        if one["kind"] in ("ConfigMap", "Secret"):
            found[one["kind"], one["metadata"]["name"]] = {
                *one.get("data", {}), *one.get("stringData", {})}
        if one["kind"] == "Certificate":
            found["Secret", one["spec"]["secretName"]] = CERTIFICATE
    names = {one["metadata"]["name"] for one in objects}
    if "patroni-tls" in names and ("Secret", "postgres-tls") not in found:
        found |= BY_SCRIPT
    return found


def keys_wanted(template):
    """(kind, name, key or None) of all that a pod takes from Secrets and ConfigMaps."""
    for container in containers(template):
        for one in container.get("env", []):
            source = one.get("valueFrom", {})
            for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
                if field in source:
                    yield kind, source[field]["name"], source[field]["key"]
        for one in container.get("envFrom", []):
            for field, kind in (("secretRef", "Secret"), ("configMapRef", "ConfigMap")):
                if field in one:
                    yield kind, one[field]["name"], None
    for volume in template["spec"].get("volumes", []):
        for source in volume.get("projected", {}).get("sources", [volume]):
            for field, kind in (("secret", "Secret"), ("configMap", "ConfigMap")):
                if field in source:
                    name = source[field].get("secretName") or source[field]["name"]
                    for item in source[field].get("items") or [{"key": None}]:
                        yield kind, name, item["key"]


def check_keys(objects):
    """Every key of a Secret or ConfigMap that a pod wants is there."""
    there = keys_there(objects)
    for owner, template in pod_templates(objects):
        for kind, name, key in keys_wanted(template):
            if (kind, name) not in there:
                yield f"{title(owner)} wants {kind} {name}, which nobody makes"
            elif key is not None and key not in there[kind, name]:
                yield f"{title(owner)} wants the key {key} of {kind} {name}, which is not there"


def check_config_maps_used(objects):
    """Every ConfigMap is read by something."""
    used = {name for _, template in pod_templates(objects)
            for kind, name, _ in keys_wanted(template) if kind == "ConfigMap"}
    for one in objects:
        labels = one["metadata"].get("labels", {})
        if one["kind"] == "ConfigMap" and "grafana_dashboard" not in labels:
            if one["metadata"]["name"] not in used:
                yield f"{title(one)} is used by no pod"


def check_ports(objects):
    """Services, probes and monitors name ports that the containers have, under one number."""
    numbers = {}
    for owner, template in pod_templates(objects):
        for container in containers(template):
            ports = {one["name"]: one["containerPort"] for one in container.get("ports", [])}
            for name, number in ports.items():
                if numbers.setdefault(name, number) != number:
                    yield f"{title(owner)}: port {name} has two numbers"
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                port = container.get(probe, {}).get("httpGet", {}).get("port")
                if port is not None and port not in ports:
                    yield f"{title(owner)}: {probe} asks port {port}, which is not there"
    for one in objects:
        selector = selector_of(one)
        if one["kind"] == "Service":
            wanted = [port["targetPort"] for port in one["spec"]["ports"]]
        elif one["kind"] == "PodMonitor":
            wanted = [port["port"] for port in one["spec"]["podMetricsEndpoints"]]
        else:
            continue
        for _, template in pod_templates(objects):
            labels = template["metadata"]["labels"]
            roles = [labels | {"role": role} for role in ("primary", "replica")]
            if not any(matches(selector, one_of) for one_of in [labels, *roles]):
                continue
            names = {port["name"] for container in containers(template)
                     for port in container.get("ports", [])}
            for port in set(wanted) - names:
                yield f"{title(one)} leads to port {port}, which its pods do not have"


def check_headless(objects):
    """A StatefulSet's Service is headless, finds its pods before they are ready, and has both ports."""
    services = {one["metadata"]["name"]: one for one in objects if one["kind"] == "Service"}
    for one in objects:
        if one["kind"] != "StatefulSet":
            continue
        service = services.get(one["spec"]["serviceName"])
        if service is None:
            yield f"{title(one)}: no Service {one['spec']['serviceName']}"
            continue
        if service["spec"].get("clusterIP") != "None":
            yield f"{title(service)} is not headless"
        if service["spec"].get("publishNotReadyAddresses") is not True:
            yield f"{title(service)} hides pods that are not ready"
        if {port["port"] for port in service["spec"]["ports"]} != {5432, 8008}:
            yield f"{title(service)} has not the ports 5432 and 8008"
        if not any(matches(selector_of(service), labels) for _, _, labels in pods([one])):
            yield f"{title(service)} does not find the pods of {title(one)}"


def check_volumes(objects):
    """Mounts have volumes, volumes are mounted, and no two mounts have one path."""
    for owner, template in pod_templates(objects):
        spec = template["spec"]
        names = [one["name"] for one in spec.get("volumes", [])]
        names += [one["metadata"]["name"] for one in owner["spec"].get("volumeClaimTemplates", [])]
        mounts = [mount for one in containers(template) for mount in one.get("volumeMounts", [])]
        for name in {one["name"] for one in mounts} ^ set(names):
            yield f"{title(owner)}: volume {name} is mounted or defined, but not both"
        if len(names) != len(set(names)):
            yield f"{title(owner)}: two volumes of one name"
        for one in containers(template):
            paths = [mount["mountPath"] for mount in one.get("volumeMounts", [])]
            if len(paths) != len(set(paths)):
                yield f"{title(owner)}: two volumes at one path"


def check_names(objects):
    """Accounts, claims, classes, roles and scaled workloads exist."""
    there = {(one["kind"], one["metadata"]["name"]) for one in objects}

    def missing(owner, kind, name):
        return [] if (kind, name) in there else [f"{title(owner)} refers to {kind} {name}"]

    for owner, template in pod_templates(objects):
        spec = template["spec"]
        yield from missing(owner, "ServiceAccount", spec.get("serviceAccountName"))
        if spec.get("priorityClassName"):
            yield from missing(owner, "PriorityClass", spec["priorityClassName"])
        claims = list(owner["spec"].get("volumeClaimTemplates", []))
        for volume in spec.get("volumes", []):
            if "persistentVolumeClaim" in volume:
                yield from missing(
                    owner, "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
            if "ephemeral" in volume:
                claims.append(volume["ephemeral"]["volumeClaimTemplate"])
        for claim in claims:
            if claim["spec"].get("storageClassName"):
                yield from missing(owner, "StorageClass", claim["spec"]["storageClassName"])
    for one in objects:
        spec = one.get("spec", {})
        if one["kind"] in ("RoleBinding", "ClusterRoleBinding"):
            yield from missing(one, one["roleRef"]["kind"], one["roleRef"]["name"])
            for subject in one["subjects"]:
                if subject.get("namespace") != "kube-system":
                    yield from missing(one, subject["kind"], subject["name"])
        elif one["kind"] in ("HorizontalPodAutoscaler", "ScaledObject"):
            yield from missing(one, spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"])
        elif one["kind"] == "PersistentVolumeClaim" and spec.get("storageClassName"):
            yield from missing(one, "StorageClass", spec["storageClassName"])
        elif one["kind"] == "APIService":
            yield from missing(one, "Service", spec["service"]["name"])
        elif one["kind"] == "Certificate":
            yield from missing(one, spec["issuerRef"]["kind"], spec["issuerRef"]["name"])


CHECKS = (
    check_keys, check_config_maps_used, check_ports, check_headless, check_volumes, check_names)
