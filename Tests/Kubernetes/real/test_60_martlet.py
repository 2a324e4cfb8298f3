# SPDX-License-Identifier: Apache-2.0
"""martlet from its rendered Deployment and ConfigMap, beside the cluster that it serves."""

import base64
import json
import math
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import psycopg
import pytest
from harness.controllers import Workloads
from harness.kube import wait_until
from harness.load import Load, writes_and_reads
from harness.settings import PASSWORDS

METRICS = "/apis/external.metrics.k8s.io/v1beta1"
READ = "SELECT host(inet_server_addr()), pg_sleep(0.1)"


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(kube):
    """The front proxy's authority and certificate, and martlet's; in the objects that name them."""
    place = kube.directory / "certificates"
    place.mkdir(exist_ok=True)
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    openssl("req", "-x509", *new_key, "-subj", "/CN=front-proxy-ca", "-keyout", place / "ca.key",
            "-out", place / "ca.crt", "-addext", "basicConstraints=critical,CA:true")
    for name in ("front-proxy-client", "somebody-else"):
        openssl("req", *new_key, "-subj", f"/CN={name}", "-keyout", place / f"{name}.key",
                "-out", place / f"{name}.csr")
        openssl("x509", "-req", "-in", place / f"{name}.csr", "-CA", place / "ca.crt", "-CAkey",
                place / "ca.key", "-CAcreateserial", "-days", "2", "-out", place / f"{name}.crt")
    openssl("req", "-x509", *new_key, "-subj", "/CN=martlet-metrics", "-addext",
            "subjectAltName=DNS:martlet-metrics.databases.svc", "-keyout", place / "tls.key",
            "-out", place / "tls.crt")
    kube.manifests.objects.append({
        "kind": "Secret", "metadata": {"name": "martlet-metrics-tls"},
        "data": {name: base64.b64encode((place / name).read_bytes()).decode()
                 for name in ("tls.crt", "tls.key")}})
    kube.manifests.objects.append({
        "kind": "ConfigMap", "metadata": {"name": "front-proxy-ca"},
        "data": {"ca.crt": (place / "ca.crt").read_text()}})
    return place


@pytest.fixture(scope="module")
def workloads(kube, martlet_image, certificates):
    """Three members, a reader, and two martlets, kept by controllers."""
    one = Workloads(kube, {("statefulset", "postgres-cluster"): 3,
                           ("deployment", "postgres-readonly"): 1,
                           ("deployment", "martlet"): 2})
    wait_until("all pods", lambda: len(kube.pods) == 6, 60)
    kube.wait_streaming([p.name for p in kube.members()])
    wait_until("all pods to be ready", lambda: all(p.ready for p in kube.pods.values()), 60)
    yield one
    one.stop()


def martlets(kube):
    return [p for p in list(kube.pods.values()) if p.name.startswith("martlet-")]


def readers(kube):
    return [p for p in list(kube.pods.values())
            if p.name.startswith("postgres-readonly-") and not p.terminating]


def conninfo(kube, index=0):
    """As an application has it; the name of the Service leads to one of these."""
    address = sorted(kube.resolve("martlet.databases.svc.cluster.local"))[index]
    return (f"host={address} port=5432 user=mlops_user password={PASSWORDS['APP_PASSWORD']}"
            " dbname=mlops")


def page(pod, path):
    with urllib.request.urlopen(f"http://{pod.ip}:9432{path}", timeout=5) as answer:
        return answer.read().decode()


def exclusion(pod, member):
    """Why a martlet sends no reads to a member; None if it does, or has none of this name."""
    nodes = json.loads(page(pod, "/topology"))["nodes"]
    return next((n["exclusion"] for n in nodes if n["name"] == member.name), None)


def ask_metrics(kube, certificates, path, client="front-proxy-client"):
    """(status, JSON) as the aggregator asks: by a certificate, for the name of the Service."""
    context = ssl.create_default_context(cafile=certificates / "tls.crt")
    if client:
        context.load_cert_chain(certificates / f"{client}.crt", certificates / f"{client}.key")
    import http.client
    import socket

    class Connection(http.client.HTTPSConnection):
        def connect(self):
            address = kube.resolve("martlet-metrics.databases.svc.cluster.local")[0]
            plain = socket.create_connection((address, 6443), 5)
            self.sock = context.wrap_socket(plain, server_hostname="martlet-metrics.databases.svc")

    connection = Connection("martlet-metrics.databases.svc", timeout=5)
    try:
        connection.request("GET", path, headers={
            "X-Remote-User": "system:serviceaccount:kube-system:horizontal-pod-autoscaler",
            "Accept": "application/vnd.kubernetes.protobuf, */*"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or "null")
    finally:
        connection.close()


def desired_readers(kube, certificates):
    """The HPA's own formula over what its rendered metric asks for: ceil(sum / target)."""
    hpa = kube.manifests.find("HorizontalPodAutoscaler", "postgres-readonly")["spec"]
    external = hpa["metrics"][0]["external"]
    selector = ",".join(
        f"{k}={v}" for k, v in external["metric"]["selector"]["matchLabels"].items())
    status, answer = ask_metrics(
        kube, certificates, f"{METRICS}/namespaces/databases/{external['metric']['name']}"
        f"?labelSelector={urllib.parse.quote(selector)}")
    if status != 200:
        # The HPA holds still.
        return None, None
    assert answer["kind"] == "ExternalMetricValueList" and len(answer["items"]) == 1
    total = sum(quantity(item["value"]) for item in answer["items"])
    wanted = math.ceil(total / quantity(external["target"]["averageValue"]))
    return max(hpa["minReplicas"], min(hpa["maxReplicas"], wanted)), total


def quantity(text):
    return int(text[:-1]) / 1000 if text.endswith("m") else float(text)


def test_martlet_serves_reads_and_writes(kube, workloads):
    with psycopg.connect(conninfo(kube), autocommit=True) as one:
        one.execute("CREATE TABLE IF NOT EXISTS things (id serial, address text)")
        writes_and_reads(one, kube, 20)
    # The superuser comes by kubectl exec only.
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(conninfo(kube).replace("user=mlops_user", "user=postgres"))


def test_it_discovers_by_watching_and_within_its_rights(kube, workloads):
    asked = {(r.verb, r.resource, r.name) for r in list(kube.api.requests)
             if r.account == "martlet"}
    assert ("watch", "pods", "") in asked
    assert ("watch", "configmaps", "postgres-cluster-leader") in asked
    assert {verb for verb, _, _ in asked} == {"list", "watch"}
    assert kube.api.refused() == []
    for pod in martlets(kube):
        assert "martlet_kubernetes_watch_in_sync 1" in "".join(
            line.split("{")[0] + " " + line.split()[-1] + "\n"
            for line in page(pod, "/metrics").splitlines() if line.startswith("martlet_kube"))


def test_the_autoscale_page_says_what_there_is(kube, workloads):
    def seen():
        return json.loads(page(martlets(kube)[0], "/autoscale"))

    # It has asked each of them by itself; a pod that is ready is not yet one that it has judged.
    wait_until("its three readers", lambda: seen()["readers"]["ready"] == 3, 30)
    answer = seen()
    assert answer["cluster"] == "postgres-cluster"
    assert answer["readers"]["lagging"] == 0
    assert answer["readers"]["demand"] == pytest.approx(
        answer["readers"]["executing"] + answer["readers"]["queued"], abs=0.01)


def test_a_terminating_reader_gets_no_new_reads_and_finishes_the_running(kube, workloads):
    leaving = readers(kube)[0]
    # Short and long reads on both instances; the long ones run while it goes.
    with Load(conninfo(kube), READ, 6) as short, \
            Load(conninfo(kube, 1), "SELECT host(inet_server_addr()), pg_sleep(3)", 8) as long:
        wait_until("reads on it", lambda: short.servers().get(leaving.ip)
                   and long.servers().get(leaving.ip), 40)
        ending = kube.in_background(leaving.delete)
        # The watch tells; Patroni's tag, which comes later, would be "no_load_balance".
        wait_until("every martlet to know", lambda: all(
            exclusion(pod, leaving) == "draining" for pod in martlets(kube)), 30)
        known = time.time()
        ending.result(100)
        ended = time.time()
        # The Deployment has made another, which takes over.
        wait_until("the next reader", lambda: readers(kube) and readers(kube)[0].ready, 60)
        taken = time.time()
        wait_until("reads on it", lambda: short.servers(taken).get(readers(kube)[0].ip), 40)
    assert short.errors == [] and long.errors == []
    # A shard may have been about to send one.
    assert short.servers(known + 1, ended).get(leaving.ip) is None
    assert long.servers(known + 1, ended).get(leaving.ip) is None


def test_the_metrics_api_answers_the_aggregator_only(kube, workloads, certificates):
    status, answer = ask_metrics(kube, certificates, METRICS)
    assert status == 200 and answer["resources"][0]["name"] == "martlet_read_demand"
    status, answer = ask_metrics(
        kube, certificates, f"{METRICS}/namespaces/databases/no_such_metric")
    assert status == 404 and answer["kind"] == "Status"
    status, answer = ask_metrics(kube, certificates, METRICS, "somebody-else")
    assert status == 403 and answer["kind"] == "Status"
    assert ask_metrics(kube, certificates, METRICS, None)[0] == 401


def test_load_adds_a_reader_and_its_end_takes_one_away(kube, workloads, certificates):
    assert desired_readers(kube, certificates)[0] == 1 and len(readers(kube)) == 1
    seen = []

    def scale(until, seconds):
        """The autoscaler's loop, without its patience."""
        deadline = time.time() + seconds
        while not until():
            assert time.time() < deadline, seen
            wanted, total = desired_readers(kube, certificates)
            if wanted is not None:
                seen.append((round(total, 1), wanted))
                now = workloads.wanted["deployment", "postgres-readonly"]
                # One pod at a time, as its policies say.
                workloads.wanted["deployment", "postgres-readonly"] = \
                    now + max(-1, min(1, wanted - now))
            time.sleep(2)

    # Writes all the while: they do not count.
    write = "INSERT INTO things (address) VALUES ('x') RETURNING id"
    with Load(conninfo(kube), write, 1) as writes:
        with Load(conninfo(kube), READ.replace("0.1", "0.3"), 14) as one, \
                Load(conninfo(kube, 1), READ.replace("0.1", "0.3"), 6) as other:
            scale(lambda: len([r for r in readers(kube) if r.ready]) == 2, 90)
            # Demand is what both instances have: 20 clients that always read.
            new = readers(kube)[-1]
            ready = time.time()
            # Of one instance at least: one with few clients stays with those that it knows.
            wait_until("reads on the new reader", lambda: (one.servers(ready) + other.servers(
                ready)).get(new.ip, 0) > 10, 30)
            assert 12 < seen[-1][0] < 22, seen
        with Load(conninfo(kube), READ, 3) as few:
            scale(lambda: workloads.wanted["deployment", "postgres-readonly"] == 1, 90)
            wait_until("one reader", lambda: len(workloads.pods_of("postgres-readonly")) == 1, 60)
    assert one.errors == other.errors == few.errors == writes.errors == []
    assert len(writes.answers) > 100
    assert kube.api.refused() == []


def test_martlet_needs_no_api(kube, workloads):
    """Whatever Kubernetes says or does not say, members are found and judged by Patroni."""
    # The reader that the test before has taken away does not answer any more.
    kube.wait_failsafe()
    kube.api.set_outage("hang")
    try:
        with Load(conninfo(kube), READ, 4) as reads, \
                Load(conninfo(kube), "INSERT INTO things (address) VALUES ('y') RETURNING id", 2) \
                as writes:
            time.sleep(15)
        assert reads.errors == writes.errors == []
        assert len(writes.answers) > 50 and len(reads.servers()) >= 2
    finally:
        kube.api.set_outage(None)


def test_a_switchover_costs_no_client_an_error(kube, workloads):
    # The test before has taken the API away.
    kube.wait_renewed()
    old = kube.wait_leader()
    new = next(p for p in kube.members("member") if p is not old)
    with Load(conninfo(kube), READ, 4) as reads, \
            Load(conninfo(kube, 1), "INSERT INTO things (address)"
                 " VALUES (host(inet_server_addr())) RETURNING address", 4) as writes:
        time.sleep(2)
        old.container.run("patronictl", "-c", "/etc/patroni", "switchover", "postgres-cluster",
                          "--leader", old.name, "--candidate", new.name, "--force")
        wait_until("writes on the new primary", lambda: writes.servers().get(new.ip), 30)
        time.sleep(2)
    assert reads.errors == [] and writes.errors == []
