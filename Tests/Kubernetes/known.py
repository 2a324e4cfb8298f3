# SPDX-License-Identifier: Apache-2.0
"""What there is to be named in the manual: objects, labels, images, files, settings."""

import functools
import re

import yaml

import manifests
from manifests import REPOSITORY

REFERENCES = ("secretKeyRef", "secretRef", "secret", "configMapKeyRef", "configMapRef", "configMap")
KINDS = {
    "pod": "Pod", "pods": "Pod", "pvc": "PersistentVolumeClaim", "pv": "PersistentVolume",
    "svc": "Service", "service": "Service", "deploy": "Deployment", "deployment": "Deployment",
    "statefulset": "StatefulSet", "cronjob": "CronJob", "job": "Job", "configmap": "ConfigMap",
    "secret": "Secret", "hpa": "HorizontalPodAutoscaler", "apiservice": "APIService",
    "storageclass": "StorageClass", "endpoints": "Endpoints", "events": "Event",
}


def walk(value):
    """Every mapping in a value."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from walk(one)


@functools.lru_cache(maxsize=None)
def documents():
    """Everything in the YAML files of deploy/kubernetes, as it is written."""
    return [one for path in sorted(manifests.ROOT.rglob("*.yaml"))
            for one in manifests.parse(path.read_text())]


@functools.lru_cache(maxsize=None)
def objects():
    """Those that are objects of Kubernetes, or parts of one."""
    return [one for one in documents() if isinstance(one, dict) and "name" in one.get("metadata", {})]


def patroni_yml():
    """Patroni's configuration."""
    return yaml.safe_load(
        manifests.named(objects(), "ConfigMap", "patroni-config")["data"]["patroni.yml"])


@functools.lru_cache(maxsize=None)
def names():
    """(kind, name) of what the manifests make, and of what Kubernetes and Patroni make of them."""
    found = {(one["kind"], one["metadata"]["name"]) for one in objects()}
    scope = patroni_yml()["scope"]
    found |= {("ConfigMap", f"{scope}-{end}") for end in ("config", "leader", "failover", "sync")}
    for one in objects():
        if one["kind"] == "StatefulSet" and "replicas" in one["spec"]:
            for number in range(one["spec"]["replicas"]):
                pod = f"{one['metadata']['name']}-{number}"
                found.add(("Pod", pod))
                found |= {("PersistentVolumeClaim", f"{claim['metadata']['name']}-{pod}")
                          for claim in one["spec"]["volumeClaimTemplates"]}
    for mapping in walk(documents()):
        found |= {("ConfigMap", one["name"]) for one in mapping.get("configMapGenerator", [])}
        for key in REFERENCES:
            if isinstance(one := mapping.get(key), dict):
                name = one.get("name") or one.get("secretName")
                found.add(("Secret" if key.startswith("secret") else "ConfigMap", name))
    # Of Kubernetes itself.
    return found | {("ConfigMap", "extension-apiserver-authentication"), ("Endpoints", "kubernetes")}


def templates():
    """(workload, template) of the base."""
    return list(manifests.pod_templates(
        [one for path in sorted(manifests.BASE.glob("*.yaml"))
         for one in manifests.parse(path.read_text())]))


@functools.lru_cache(maxsize=None)
def labels():
    """Every label that a pod has; the role is Patroni's."""
    found = {("role", "primary"), ("role", "replica")}
    for _, template in templates():
        found |= set(template["metadata"]["labels"].items())
    return found


@functools.lru_cache(maxsize=None)
def containers():
    """Names of containers."""
    return {one["name"] for _, template in templates() for one in manifests.containers(template)}


@functools.lru_cache(maxsize=None)
def images():
    """Images that the manifests use."""
    return {one["image"] for _, template in templates() for one in manifests.containers(template)}


@functools.lru_cache(maxsize=None)
def alerts():
    """Names of alerts."""
    return {one["alert"] for one in walk(documents()) if "alert" in one}


@functools.lru_cache(maxsize=None)
def keys():
    """Keys of ConfigMaps."""
    return {key for one in objects() if one["kind"] == "ConfigMap" for key in one.get("data", {})}


@functools.lru_cache(maxsize=None)
def files():
    """Names of files, without their folders."""
    return {path.name for root in ("deploy", "Tests/Kubernetes")
            for path in (REPOSITORY / root).rglob("*") if path.is_file()}


@functools.lru_cache(maxsize=None)
def deployed_text():
    """All that is deployed, the manual excepted; and what martlet says of its settings and metrics."""
    paths = [*(REPOSITORY / "deploy").rglob("*"),
             *(REPOSITORY / "Sources/martlet/Documentation.docc").glob("*.md")]
    return "\n".join(path.read_text() for path in sorted(paths)
                     if path.is_file() and not path.name.startswith("README")
                     and path.suffix not in (".pyc",))


@functools.lru_cache(maxsize=None)
def pod_scripts():
    """What the image says: the text of its scripts, by name."""
    folder = REPOSITORY / "deploy/images/patroni/bin"
    return {path.name: path.read_text() for path in sorted(folder.iterdir()) if path.is_file()}


def settings():
    """Dotted names of martlet's settings, and of Patroni's at the top."""
    sample = yaml.safe_load((REPOSITORY / "deploy/martlet.yaml").read_text())
    found = set()
    for top, value in [*sample.items(), *patroni_yml().items()]:
        if isinstance(value, dict):
            found |= {f"{top}.{key}" for key in value}
    return found


def has_word(text, word):
    """Whether a text has it, and not only as a part of another word."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None
