# SPDX-License-Identifier: Apache-2.0
"""patroni.yml and what components add to it, put together by Patroni's own code, per pod."""

import functools
import json
import os
import tempfile
from pathlib import Path
from unittest import mock

import yaml
from patroni.config import Config

from manifests import named, pod_templates, title

SIZES = {"kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def size(text):
    """Bytes of PostgreSQL's 512MB or Kubernetes' 2Gi."""
    return int(text[:-2]) * SIZES[text[-2:]]


def files(objects, template):
    """Name and text of the files of /etc/patroni in a pod."""
    for volume in template["spec"]["volumes"]:
        if volume["name"] != "patroni-config":
            continue
        for source in volume["projected"]["sources"]:
            data = named(objects, "ConfigMap", source["configMap"]["name"])["data"]
            for item in source["configMap"]["items"]:
                yield item["path"], data[item["key"]]


def patroni_pods(objects):
    """The workloads that run Patroni, with their templates."""
    for owner, template in pod_templates(objects):
        if template["metadata"]["labels"].get("application") == "patroni":
            yield owner, template


def configuration(objects, template):
    """What Patroni makes of all files and of the variables that have plain values."""
    texts = tuple(sorted(files(objects, template)))
    environment = {}
    for one in template["spec"]["containers"][0]["env"]:
        if one["name"].startswith("PATRONI_"):
            environment[one["name"]] = one.get("value", "from-the-cluster")
    return json.loads(load(texts, tuple(sorted(environment.items()))))


@functools.lru_cache(maxsize=None)
def load(texts, environment):
    """As JSON, so that no caller changes what the next one gets."""
    with tempfile.TemporaryDirectory() as work:
        for name, text in texts:
            (Path(work) / name).write_text(text)
        with mock.patch.dict(os.environ, {**dict(environment), "PATH": os.environ["PATH"]}, clear=True):
            local = Config(work, validator=None).local_configuration
            return json.dumps(local)


def dynamic(objects):
    """The part that is the same for all members: bootstrap.dcs, of the StatefulSet."""
    template = named(objects, "StatefulSet", "postgres-cluster")["spec"]["template"]
    return configuration(objects, template)["bootstrap"]["dcs"]


def check_labels(objects):
    """Every pod with a Patroni has all the labels by which Patroni lists pods."""
    for owner, template in patroni_pods(objects):
        settings = configuration(objects, template)
        labels = template["metadata"]["labels"]
        wanted = settings["kubernetes"]["labels"] | {"cluster-name": settings["scope"]}
        if not wanted.items() <= labels.items():
            yield f"{title(owner)}: Patroni asks for {wanted}, its pods have {labels}"
        if settings["kubernetes"].get("use_endpoints") is not False:
            yield f"{title(owner)}: Endpoints as Patroni's store"
    for owner, template in pod_templates(objects):
        labels = template["metadata"]["labels"]
        if "cluster-name" in labels and labels.get("application") != "patroni":
            yield f"{title(owner)}: counts as a member only by half"


def check_scope(objects):
    """Patroni's own ConfigMaps meet none of ours, and martlet and the Role name the right ones."""
    ours = {one["metadata"]["name"] for one in objects if one["kind"] == "ConfigMap"}
    for owner, template in patroni_pods(objects):
        scope = configuration(objects, template)["scope"]
        theirs = {f"{scope}-{ending}" for ending in ("config", "leader", "failover", "sync")}
        for name in theirs & ours:
            yield f"ConfigMap {name} would be written over by Patroni"
        role = named(objects, "Role", "postgres-cluster")
        granted = {name for rule in role["rules"] for name in rule.get("resourceNames", [])}
        if granted != theirs:
            yield f"the Role names {sorted(granted)}, Patroni writes {sorted(theirs)}"
        settings = yaml.safe_load(named(objects, "ConfigMap", "martlet")["data"]["martlet.yaml"])
        if settings["kubernetes"]["leader"] != f"{scope}-leader":
            yield "martlet watches another leader"
        wanted = dict(one.split("=") for one in settings["kubernetes"]["pods"].split(","))
        if not wanted.items() <= template["metadata"]["labels"].items():
            yield f"martlet does not watch the pods of {title(owner)}"


def check_order(objects):
    """Files that add to patroni.yml come after it by their names."""
    for owner, template in patroni_pods(objects):
        names = [name for name, _ in files(objects, template)]
        if "patroni.yml" not in names or min(names) != "patroni.yml":
            yield f"{title(owner)}: patroni.yml is not read first among {names}"
        if len(names) != len(set(names)):
            yield f"{title(owner)}: two files of one name among {names}"


def check_timing(objects):
    """ttl has room for a loop and two attempts, and nothing needs a majority that is not there."""
    settings = dynamic(objects)
    if settings["loop_wait"] + 2 * settings["retry_timeout"] > settings["ttl"]:
        yield "loop_wait + 2 * retry_timeout is more than ttl"
    if settings["failsafe_mode"] is not True:
        yield "the primary steps down when the Kubernetes API is away"
    replicas = named(objects, "StatefulSet", "postgres-cluster")["spec"]["replicas"]
    if settings.get("synchronous_mode") and replicas < 3:
        yield "synchronous with fewer than three members"


def check_rewind(objects):
    """An old primary can follow again, and the log that is kept is limited."""
    settings = dynamic(objects)
    template = named(objects, "StatefulSet", "postgres-cluster")["spec"]["template"]
    initdb = configuration(objects, template)["bootstrap"]["initdb"]
    parameters = settings["postgresql"]["parameters"]
    if settings["postgresql"].get("use_pg_rewind") is not True or "data-checksums" not in initdb:
        yield "pg_rewind cannot work"
    claim = named(objects, "StatefulSet", "postgres-cluster")["spec"]["volumeClaimTemplates"][0]
    volume = size(claim["spec"]["resources"]["requests"]["storage"])
    log = size(parameters["max_slot_wal_keep_size"]) + size(parameters["max_wal_size"])
    if log > volume / 2:
        yield f"the log may take {log} bytes of a volume of {volume}"


def check_readers(objects):
    """Readers are never a primary nor a synchronous standby, and members are both."""
    for owner, template in patroni_pods(objects):
        tags = configuration(objects, template)["tags"]
        reader = template["metadata"]["labels"]["app.kubernetes.io/component"] == "reader"
        if bool(tags.get("nofailover")) is not reader or bool(tags.get("nosync")) is not reader:
            yield f"{title(owner)}: tags {tags}"
        if bool(tags.get("clonefrom")) is reader:
            yield f"{title(owner)}: clones come from the wrong ones"
        if tags.get("noloadbalance"):
            yield f"{title(owner)}: gets no reads"


def check_paths(objects):
    """What patroni.yml names is on a volume of the pod, and the data directory below the mount."""
    for owner, template in patroni_pods(objects):
        container = template["spec"]["containers"][0]
        paths = {one["mountPath"]: one for one in container["volumeMounts"]}
        postgresql = configuration(objects, template)["postgresql"]
        data = postgresql["data_dir"]
        if data in paths or not data.startswith("/var/lib/postgresql/"):
            yield f"{title(owner)}: the data directory is a mount point, or on no volume"
        if not postgresql["pgpass"].startswith("/tmp/") or "/tmp" not in paths:
            yield f"{title(owner)}: pgpass cannot be written"
        if postgresql["parameters"]["unix_socket_directories"] not in paths:
            yield f"{title(owner)}: sockets cannot be made"
        texts = repr(configuration(objects, template))
        for prefix in ("/etc/postgres-tls", "/etc/postgres-config"):
            needed = prefix in texts and (
                prefix != "/etc/postgres-config" or owner["kind"] == "StatefulSet")
            if needed and prefix not in paths:
                yield f"{title(owner)}: {prefix} is not mounted"


def check_hba(objects):
    """Nobody is let in without a password, but the superuser at his own socket."""
    for owner, template in patroni_pods(objects):
        settings = configuration(objects, template)["postgresql"]
        lines = [line.split() for line in settings["pg_hba"]]
        encrypted = settings["parameters"].get("ssl") == "on"
        for line in lines:
            if line[-1] not in ("scram-sha-256", "reject") and line != [
                    "local", "all", "postgres", "peer"]:
                yield f"{title(owner)}: pg_hba lets in by {line}"
            if encrypted and line[0] == "host" and line[-1] != "reject":
                yield f"{title(owner)}: pg_hba lets in without TLS by {line}"
        if ["host", "all", "postgres", "all", "reject"] not in lines:
            yield f"{title(owner)}: the superuser may come over the network"
        if settings.get("use_unix_socket") is not True:
            yield f"{title(owner)}: Patroni would come over the network as superuser"
        replication = [line for line in lines if line[1] == "replication" and line[0] != "local"]
        if not any(line[2] == "replicator" and line[-1] == "scram-sha-256" for line in replication):
            yield f"{title(owner)}: replicas cannot connect"


def check_rest(objects):
    """REST has threads enough for idle connections, and a password for what changes anything."""
    for owner, template in patroni_pods(objects):
        rest = configuration(objects, template)["restapi"]
        if rest.get("thread_pool_size", 5) < 20:
            yield f"{title(owner)}: five idle connections silence Patroni"
        if not rest.get("authentication", {}).get("password"):
            yield f"{title(owner)}: anybody may switch over"
        scheme = "HTTPS" if rest.get("certfile") else "HTTP"
        container = template["spec"]["containers"][0]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if container[probe]["httpGet"].get("scheme", "HTTP") != scheme:
                yield f"{title(owner)}: {probe} does not speak {scheme}"
        for one in objects:
            if one["kind"] == "PodMonitor" and one["metadata"]["name"] == "postgres-cluster":
                for endpoint in one["spec"]["podMetricsEndpoints"]:
                    if endpoint.get("scheme", "http").upper() != scheme:
                        yield f"{title(one)}: does not speak {scheme}"
        martlet = named(objects, "Deployment", "martlet")["spec"]["template"]["spec"]
        environment = {one["name"]: one.get("value")
                       for one in martlet["containers"][0].get("env", [])}
        if (environment.get("MARTLET_PATRONI_HTTPS") == "true") is not (scheme == "HTTPS"):
            yield "martlet does not ask Patroni in the way it answers"


def check_encryption(objects):
    """With TLS every connection verifies the name; without, no half of it is left."""
    for owner, template in patroni_pods(objects):
        settings = configuration(objects, template)
        encrypted = settings["postgresql"]["parameters"].get("ssl") == "on"
        for user, login in settings["postgresql"]["authentication"].items():
            if (login.get("sslmode") == "verify-full") is not encrypted:
                yield f"{title(owner)}: {user} connects with sslmode {login.get('sslmode')}"
        if bool(settings["restapi"].get("certfile")) is not encrypted:
            yield f"{title(owner)}: PostgreSQL and Patroni differ about TLS"


CHECKS = (
    check_labels, check_scope, check_order, check_timing, check_rewind, check_readers, check_paths,
    check_hba, check_rest, check_encryption)
