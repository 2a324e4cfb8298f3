# SPDX-License-Identifier: Apache-2.0
"""How pods run: restricted, with probes, with the memory they may use, and time to end."""

import re

import yaml

from manifests import containers, named, pod_templates, title

from .patroni import dynamic, size

USERS = {"member": 999, "reader": 999, "backup": 999, "wal": 999, "proxy": 65532}
# A tag of a version, or a digest.
IMAGE = re.compile(r"[a-z0-9./-]+(:[0-9][A-Za-z0-9._-]*)?(@sha256:[0-9a-f]{64})?")
SERVING = ("member", "reader", "proxy")


def component(template):
    """Which part of the cluster a pod is."""
    return template["metadata"]["labels"]["app.kubernetes.io/component"]


def check_restricted(objects):
    """Pod Security Standard "restricted", and a root file system that cannot be written."""
    for owner, template in pod_templates(objects):
        spec, name = template["spec"], title(owner)
        pod = spec.get("securityContext", {})
        user = USERS[component(template)]
        if (pod.get("runAsUser"), pod.get("runAsGroup"), pod.get("fsGroup")) != (user,) * 3:
            yield f"{name}: user, group and fsGroup are not {user}"
        if pod.get("runAsNonRoot") is not True:
            yield f"{name}: may run as root"
        if pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{name}: without seccomp"
        if any(spec.get(field) for field in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{name}: shares namespaces with its node"
        for volume in spec.get("volumes", []):
            if "hostPath" in volume:
                yield f"{name}: mounts its node's files"
        for one in containers(template):
            context = one.get("securityContext", {})
            if context.get("allowPrivilegeEscalation") is not False:
                yield f"{name}: {one['name']} may gain privileges"
            if context.get("readOnlyRootFilesystem") is not True:
                yield f"{name}: {one['name']} may write to its image"
            if context.get("capabilities", {}).get("drop") != ["ALL"]:
                yield f"{name}: {one['name']} keeps capabilities"
            if context.get("capabilities", {}).get("add") or context.get("privileged"):
                yield f"{name}: {one['name']} has privileges"
            if any(port.get("hostPort") for port in one.get("ports", [])):
                yield f"{name}: {one['name']} takes a port of its node"


def check_token(objects):
    """The token is mounted by those who use the API, and nobody's variables are of Services."""
    for owner, template in pod_templates(objects):
        spec = template["spec"]
        uses = component(template) in SERVING
        if spec.get("automountServiceAccountToken") is not uses:
            yield f"{title(owner)}: the API's token is mounted for no reason, or missing"
        if spec.get("enableServiceLinks") is not False:
            yield f"{title(owner)}: gets POSTGRES_* variables of Services"
    for one in objects:
        if one["kind"] == "ServiceAccount" and one.get("automountServiceAccountToken") is not False:
            yield f"{title(one)}: gives its token to every pod"


def check_images(objects):
    """Versions are stated, and one name means one image."""
    seen = {}
    for owner, template in pod_templates(objects):
        for one in containers(template):
            image = one["image"]
            if not IMAGE.fullmatch(image) or ":" not in image:
                yield f"{title(owner)}: the image {image} has no version"
            name = image.rsplit("/", 1)[-1].split(":")[0]
            if seen.setdefault(name, image) != image:
                yield f"{title(owner)}: {image}, elsewhere {seen[name]}"


def check_resources(objects):
    """Memory is reserved as far as it may be used; no limit of CPU holds up the renewal of a lock."""
    for owner, template in pod_templates(objects):
        for one in containers(template):
            resources = one.get("resources", {})
            requests, limits = resources.get("requests", {}), resources.get("limits", {})
            if not requests.get("cpu") or not requests.get("memory"):
                yield f"{title(owner)}: {one['name']} reserves nothing"
            if requests.get("memory") != limits.get("memory"):
                yield f"{title(owner)}: {one['name']} may use memory that is not reserved"
            if component(template) in SERVING and "cpu" in limits:
                yield f"{title(owner)}: {one['name']} may be throttled"


def check_memory(objects):
    """What PostgreSQL is told to use fits into the pod, with the file systems that are memory."""
    for owner, template in pod_templates(objects):
        if component(template) not in ("member", "reader"):
            continue
        limit = size(template["spec"]["containers"][0]["resources"]["limits"]["memory"])
        parameters = dynamic(objects)["postgresql"]["parameters"]
        volumes = {one["name"]: one for one in template["spec"]["volumes"]}
        in_memory = sum(size(one["emptyDir"]["sizeLimit"]) for one in volumes.values()
                        if one.get("emptyDir", {}).get("medium") == "Memory")
        if "shm" not in volumes or volumes["shm"]["emptyDir"].get("medium") != "Memory":
            yield f"{title(owner)}: parallel queries have the 64 MB of the container"
        if size(parameters["shared_buffers"]) + in_memory > limit / 2:
            yield f"{title(owner)}: shared_buffers and volumes in memory are more than half of it"
        for one in volumes.values():
            if "emptyDir" in one and "sizeLimit" not in one["emptyDir"]:
                yield f"{title(owner)}: volume {one['name']} may fill the node"


def check_probes(objects):
    """Those who serve have all three probes, with a patience that fits ttl."""
    for owner, template in pod_templates(objects):
        if component(template) not in SERVING:
            continue
        container = template["spec"]["containers"][0]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if probe not in container:
                yield f"{title(owner)}: no {probe}"
                return
        paths = [container[probe]["httpGet"]["path"].split("?")[0]
                 for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
        wanted = (["/healthz", "/healthz", "/readyz"] if component(template) == "proxy"
                  else ["/liveness", "/liveness", "/readiness"])
        if paths != wanted:
            yield f"{title(owner)}: probes ask {paths}"
        liveness = container["livenessProbe"]
        if liveness["timeoutSeconds"] < 5 or liveness["periodSeconds"] * liveness[
                "failureThreshold"] < 30:
            yield f"{title(owner)}: is killed sooner than Patroni's lock would expire"


def check_ending(objects):
    """The grace covers what happens at the end."""
    for owner, template in pod_templates(objects):
        if component(template) not in SERVING:
            continue
        grace = template["spec"].get("terminationGracePeriodSeconds", 30)
        container = template["spec"]["containers"][0]
        command = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command")
        before = int(command[-1]) if command else 0
        after = {"member": 120, "reader": 20, "proxy": 0}[component(template)]
        if component(template) == "proxy":
            settings = named(objects, "ConfigMap", "martlet")["data"]["martlet.yaml"]
            after = int(yaml.safe_load(settings)["drain_timeout"].removesuffix("s")) + 10
        if grace < before + after:
            yield f"{title(owner)}: is killed after {grace} s, needs {before} and {after}"
        if component(template) != "member" and not before:
            yield f"{title(owner)}: ends while it still gets connections"


def check_updates(objects):
    """Members are never restarted in their order, nor scaled by load; readers and proxies are."""
    one = named(objects, "StatefulSet", "postgres-cluster")["spec"]
    if one["updateStrategy"]["type"] != "OnDelete" or one["podManagementPolicy"] != "Parallel":
        yield "an update would restart the primary in its turn, or a start wait for the first pod"
    if set(one["persistentVolumeClaimRetentionPolicy"].values()) != {"Retain"}:
        yield "scaling in would delete data"
    scaled = {}
    for other in objects:
        if other["kind"] in ("HorizontalPodAutoscaler", "ScaledObject"):
            scaled.setdefault(other["spec"]["scaleTargetRef"]["name"], []).append(other)
    if set(scaled) != {"postgres-readonly", "martlet"} or any(len(x) != 1 for x in scaled.values()):
        yield f"scaled are {sorted(scaled)}, some by several"
    for name in ("postgres-readonly", "martlet"):
        spec = named(objects, "Deployment", name)["spec"]
        if "replicas" in spec:
            yield f"each apply resets {name}"
        if spec["strategy"]["rollingUpdate"]["maxUnavailable"] != 0:
            yield f"an update takes away from {name} before it adds"


CHECKS = (
    check_restricted, check_token, check_images, check_resources, check_memory, check_probes,
    check_ending, check_updates)
