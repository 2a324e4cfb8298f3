# SPDX-License-Identifier: Apache-2.0
"""What an autoscaler is told of two martlets under load, and readers whose pods are to end."""

import contextlib
import http.client
import json
import math
import ssl
import threading
import urllib.parse

import pytest
from localcluster.certificates import Authority
from localcluster.cluster import http as fetch
from localcluster.processes import wait_until
from localcluster.proxy import Martlet
from support.binary import binary
from support.endpoint import Endpoint, value, where
from support.kubernetes import KubernetesAPI

PORT, HTTP_PORT, METRICS_PORT, API_PORT = 16551, 19551, 16443, 16444
BASE = "/apis/external.metrics.k8s.io/v1beta1"
METRIC = f"{BASE}/namespaces/databases/martlet_read_demand"


class Instance(Endpoint):
    """A martlet at an address of its own, as pods have them: the ports are those of all."""

    def __init__(self, cluster, address, changes):
        one = Martlet(cluster, binary(), 50 + int(address.rsplit(".", 1)[1]), {
            "listen": f"{address}:{PORT}", "http": {"listen": f"{address}:{HTTP_PORT}"},
            **changes})
        one.port, one.http_port, one.url = PORT, HTTP_PORT, f"http://{address}:{HTTP_PORT}"
        super().__init__(cluster, one)
        self.host = address

    def address(self, **changes):
        """Its own host."""
        return super().address(**{"host": self.host, **changes})

    def autoscale(self):
        """What /autoscale says."""
        status, text = fetch(f"{self.martlet.url}/autoscale", timeout=10)
        assert status == 200, text
        return json.loads(text)

    def start(self):
        """Runs until the test ends it."""
        self.martlet.stop()
        self.martlet.write_configuration()
        self.martlet.start()
        self.wait_settled()


@pytest.fixture(scope="module")
def authority(cluster):
    """Signs the API's certificate and those of its clients."""
    authority = Authority(cluster.directory / "front-proxy")
    authority.make("metrics", "martlet.databases.svc", "DNS:martlet.databases.svc,IP:127.0.0.1")
    authority.make("front-proxy", "front-proxy-client")
    authority.make("somebody", "somebody")
    return authority


@pytest.fixture(scope="module")
def pair(cluster, authority):
    """Two martlets that know each other; the first serves the external metrics API."""
    common = {"peers": {"addresses": [f"127.0.0.1:{PORT}", f"127.0.0.2:{PORT}"]},
              "pools": {"size": 2}, "routing": {"consistency": "eventual"}}
    api = {"external_metrics": {
        "listen": f"127.0.0.1:{METRICS_PORT}", "cert_file": str(authority.path("metrics.crt")),
        "key_file": str(authority.path("metrics.key")), "client_ca_file": str(authority.file)}}
    both = [Instance(cluster, "127.0.0.1", common | api), Instance(cluster, "127.0.0.2", common)]
    both[0].martlet.create_account()
    try:
        for one in both:
            one.start()
        yield both
    finally:
        for one in both:
            one.martlet.stop()


@pytest.fixture
def ask(authority):
    """Asks the external metrics API over mutual TLS, as the API server does."""

    def ask(path, name="front-proxy", selector=None):
        context = ssl.create_default_context(cafile=authority.file)
        if name:
            context.load_cert_chain(authority.path(f"{name}.crt"), authority.path(f"{name}.key"))
        connection = http.client.HTTPSConnection(
            "127.0.0.1", METRICS_PORT, timeout=15, context=context)
        query = "?" + urllib.parse.urlencode({"labelSelector": selector}) if selector else ""
        headers = {"X-Remote-User": "system:serviceaccount:kube-system:horizontal-pod-autoscaler",
                   "Accept": "application/vnd.kubernetes.protobuf, */*"}
        with contextlib.closing(connection):
            connection.request("GET", path + query, headers=headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    return ask


def quantity(text):
    """A Quantity as a number."""
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


@contextlib.contextmanager
def load(endpoints, clients):
    """So many clients of each that read without a pause; gives the errors that they got."""
    stop, errors, threads = threading.Event(), [], []

    def read(endpoint):
        try:
            with endpoint.connect() as connection:
                while not stop.is_set():
                    connection.execute("SELECT pg_sleep(0.2)")
        except Exception as error:  # pylint: disable=broad-except
            errors.append(error)

    for endpoint in endpoints:
        threads += [threading.Thread(target=read, args=(endpoint,)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield errors
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_discovery_and_who_may_ask(pair, ask):
    assert pair[0].autoscale()["cluster"] == pair[0].cluster.settings.name
    status, resources = ask(BASE)
    assert status == 200 and resources["kind"] == "APIResourceList"
    assert [one["name"] for one in resources["resources"]] == ["martlet_read_demand"]
    assert ask("/apis")[1]["groups"][0]["preferredVersion"]["version"] == "v1beta1"
    for name, code, reason in ((None, 401, "Unauthorized"), ("somebody", 403, "Forbidden")):
        status, answer = ask(METRIC, name)
        assert (status, answer["kind"], answer["reason"]) == (code, "Status", reason)
    assert ask(f"{BASE}/namespaces/databases/other")[0] == 404
    assert ask(METRIC, selector="cluster==")[1]["items"] == []
    assert ask(METRIC, selector="cluster in (")[1]["code"] == 400


# The mean is one of a minute, on the way up and on the way down.
@pytest.mark.timeout(240)
def test_load_raises_the_demand_of_all_and_its_end_lowers_it(pair, ask):
    cluster = pair[0].cluster.settings.name
    clients, target = 9, 6

    def demand():
        status, answer = ask(METRIC, selector=f"cluster={cluster}")
        assert status == 200, answer
        [item] = answer["items"]
        assert item["metricLabels"] == {"cluster": cluster} and item["window"] == 60
        return quantity(item["value"])

    with load(pair, clients) as errors:
        # Whoever reads without a pause is one in demand; the mean of a minute gets there slowly.
        wait_until("the demand to rise", lambda: demand() > 2 * clients * 0.8, 90, interval=1)
        seen = [one.autoscale()["readers"] for one in pair]
        for readers in seen:
            assert 0.7 * clients < readers["demand"] <= clients * 1.01
            # Two servers on each of two replicas: five of nine wait.
            assert 2 < readers["executing"] <= 4.01
            assert readers["queued"] > 3
            assert math.isclose(readers["executing"] + readers["queued"], readers["demand"],
                                abs_tol=1e-3)
            assert readers["ready"] == len(pair[0].cluster.replicas()) and readers["lagging"] == 0
        # What the autoscaler makes of it: AverageValue, with one reader.
        assert math.ceil(demand() / target) == 3
        page = pair[0].metrics().sum("martlet_read_demand")
        assert abs(page - pair[0].autoscale()["readers"]["demand"]) < 1
    assert not errors
    wait_until("the demand to fall", lambda: demand() < 0.1, 90, interval=1)
    assert all(one.autoscale()["readers"]["demand"] < 0.1 for one in pair)


def test_a_sum_without_one_of_them_is_none(pair, ask):
    pair[1].martlet.stop()
    try:
        status, answer = ask(METRIC)
        assert (status, answer["reason"]) == (503, "ServiceUnavailable")
        assert f"127.0.0.2:{HTTP_PORT}" in answer["message"]
    finally:
        pair[1].start()
    assert ask(METRIC)[0] == 200


# Readers whose pods are to end.


@pytest.fixture
def watched(cluster, tmp_path):
    """A martlet that watches a scripted Kubernetes API, where every member has a pod."""
    token = tmp_path / "token"
    token.write_text("secret-token\n")
    api = KubernetesAPI(API_PORT, "secret-token")
    for name in cluster.names:
        api.add(name)
    api.elect(cluster.primary())
    one = Instance(cluster, "127.0.0.3", {
        "routing": {"consistency": "eventual"},
        "kubernetes": {"pods": "application=patroni", "leader": "pg-leader", "namespace": "test",
                       "api": f"http://127.0.0.1:{API_PORT}", "token_file": str(token)}})
    one.martlet.create_account()
    try:
        one.start()
        wait_until("the watches", lambda: in_sync(one) == 2, 30)
        yield one, api
    finally:
        one.martlet.stop()
        api.stop()


def in_sync(endpoint):
    """How many watches work."""
    return endpoint.metrics().sum("martlet_kubernetes_watch_in_sync")


def read_only(endpoint, port):
    """A connection with a transaction that is open on the server of this port."""
    for _ in range(200):
        connection = endpoint.connect()
        connection.execute("BEGIN READ ONLY")
        if where(connection) == port:
            return connection
        connection.close()
    raise AssertionError(f"no transaction came to {port}")


def test_a_reader_that_is_to_end_finishes_what_it_has(cluster, watched):
    endpoint, api = watched
    leaving, staying = sorted(cluster.replicas())
    port = cluster.port_of(leaving)
    with read_only(endpoint, port) as busy, load([endpoint], 8) as errors:
        wait_until("both to have reads", lambda: endpoint.metrics().sum(
            "martlet_servers", node=leaving, state="active") > 1, 30)
        api.terminate(leaving)
        wait_until("reads to stay away", lambda: endpoint.eligible() == {staying}, 10)
        # What runs ends, what is idle is closed, and only the transaction is left.
        wait_until("its servers to be closed", lambda: endpoint.metrics().sum(
            "martlet_servers", node=leaving) == 1, 30)
        with endpoint.clients(10) as clients:
            assert {where(one) for one in clients} == {cluster.port_of(staying)}
        assert where(busy) == port
        assert value(busy, "SELECT count(*) FROM items") == 1000
        busy.execute("COMMIT")
        wait_until("the last to be closed", lambda: endpoint.metrics().sum(
            "martlet_servers", node=leaving) == 0, 10)
        assert not errors
        # The object's end is not the member's return; a new pod of the name is.
        api.delete(leaving)
        assert endpoint.eligible() == {staying}
        api.add(leaving)
        wait_until("the new one to get reads", lambda: endpoint.eligible() == {leaving, staying}, 10)
    assert not errors


def test_without_the_api_everything_goes_on(cluster, watched):
    endpoint, api = watched
    before = endpoint.metrics().sum("martlet_kubernetes_watch_events_total")
    # Named falsely, it stays what it is.
    api.elect(sorted(cluster.replicas())[0])
    wait_until("the hint", lambda: endpoint.metrics().sum(
        "martlet_kubernetes_watch_events_total") > before, 10)
    with endpoint.connect() as connection:
        connection.execute("INSERT INTO journal VALUES (55, 1)")
        assert endpoint.topology()["primary"] == cluster.primary()
        api.stop()
        wait_until("the loss", lambda: in_sync(endpoint) == 0, 30)
        connection.execute("INSERT INTO journal VALUES (55, 2)")
        assert value(connection, "SELECT count(*) FROM items") == 1000
    assert endpoint.eligible() == set(cluster.replicas())
    wait_until("another attempt", lambda: endpoint.metrics().sum(
        "martlet_kubernetes_watch_failures_total") >= 4, 30)
    lines = [line for line in endpoint.log().splitlines() if "watch failed" in line]
    # Once for each watch and reason: the cut, and that nobody is there.
    assert 2 <= len(lines) <= 4, lines
