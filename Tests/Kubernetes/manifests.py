# SPDX-License-Identifier: Apache-2.0
"""The manifests as kubectl renders them: the base, every overlay, every combination of components."""

import concurrent.futures
import functools
import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
ROOT = REPOSITORY / "deploy/kubernetes"
BASE = ROOT / "base"
COMPONENTS = ROOT / "components"
OVERLAYS = ROOT / "overlays"

# Of each group at most one.
EXCLUSIVE = (
    ("storage-ebs", "storage-efs"),
    ("storage-efs-backup", "storage-efs"),
    ("tls-secrets", "tls-cert-manager"),
    ("hpa-external-metrics", "hpa-keda", "hpa-prometheus-adapter"),
)
# Used by other components only.
PARTS = ("tls",)
# Monitoring comes before TLS, which changes the scheme that is scraped, and storage before the
# storage of backups.
FIRST = ("monitoring", "storage-ebs")


def home():
    """As martlet_home in deploy/local/setup.sh."""
    if "MARTLET_LOCAL_HOME" in os.environ:
        return Path(os.environ["MARTLET_LOCAL_HOME"])
    if os.geteuid() == 0:
        return Path("/var/lib/martlet-demo")
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(state) / "martlet-demo"


def kubectl():
    """The executable that setup.sh has fetched, or else the machine's."""
    ours = home() / "kubernetes-tools/bin/kubectl"
    found = str(ours) if ours.exists() else shutil.which("kubectl")
    if not found:
        raise RuntimeError("there is no kubectl; Tests/run kubernetes fetches it")
    return found


class RenderingFailed(Exception):
    """What kubectl said."""


def kustomize(directory):
    """The objects of a kustomization."""
    done = subprocess.run(
        [kubectl(), "kustomize", str(directory)], capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RenderingFailed(done.stderr)
    # A warning is of something that will stop working.
    if done.stderr:
        raise RenderingFailed(done.stderr)
    return parse(done.stdout)


def parse(text):
    """The objects of a stream of YAML documents."""
    return [one for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one is not None]


@functools.lru_cache(maxsize=None)
def render(components=(), namespace="databases"):
    """The base with these components; the result is shared and must not be changed."""
    with tempfile.TemporaryDirectory() as work:
        def relative(path):
            return os.path.relpath(path, os.path.realpath(work))
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [relative(BASE)],
            "components": [relative(COMPONENTS / name) for name in components],
        }
        if namespace:
            kustomization["namespace"] = namespace
        (Path(work) / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        return kustomize(os.path.realpath(work))


@functools.lru_cache(maxsize=None)
def overlay(name):
    """The objects of an overlay; shared, as above."""
    return kustomize(OVERLAYS / name)


def component_names():
    """Every component that may be used by itself, in an order in which they may be combined."""
    names = sorted(path.parent.name for path in COMPONENTS.glob("*/kustomization.yaml"))
    return sorted((name for name in names if name not in PARTS), key=lambda name: name not in FIRST)


def overlay_names():
    """Every overlay."""
    return sorted(path.parent.name for path in OVERLAYS.glob("*/kustomization.yaml"))


def combinations():
    """Every set of components that may be used together, the empty one included."""
    names = component_names()
    for number in range(len(names) + 1):
        for chosen in itertools.combinations(names, number):
            if all(len(set(group) & set(chosen)) <= 1 for group in EXCLUSIVE):
                yield chosen


def telling_combinations():
    """None, each by itself, and as many as go together, so that any two that may meet do.

    MARTLET_KUBERNETES_ALL=1: all of them, which takes many minutes.
    """
    everything = list(combinations())
    if os.environ.get("MARTLET_KUBERNETES_ALL") == "1":
        return everything
    return [chosen for chosen in everything if len(chosen) <= 1
            or not any(set(chosen) < set(other) for other in everything)]


@functools.lru_cache(maxsize=None)
def variants():
    """Name and objects of everything that can be deployed."""
    found = {f"overlay {name}": overlay(name) for name in overlay_names()}
    sets = telling_combinations()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for names, objects in zip(sets, pool.map(render, sets)):
            found["base" + "".join(f" + {name}" for name in names)] = objects
    return found


def named(objects, kind, name):
    """The one object of this kind and name."""
    found = [one for one in objects if one["kind"] == kind and one["metadata"]["name"] == name]
    if len(found) != 1:
        raise LookupError(f"there are {len(found)} of {kind} {name}")
    return found[0]


def title(one):
    """How an object is called in a message."""
    return f"{one['kind']} {one['metadata']['name']}"


def pod_templates(objects):
    """Each workload and its pod's template; a bare CronJob's is two levels down."""
    for one in objects:
        if one["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job"):
            yield one, one["spec"]["template"]
        elif one["kind"] == "CronJob":
            yield one, one["spec"]["jobTemplate"]["spec"]["template"]


def containers(template):
    """Every container of a pod, those that run first included."""
    spec = template["spec"]
    return spec.get("initContainers", []) + spec["containers"]
