# SPDX-License-Identifier: Apache-2.0
"""Members, as the rendered manifests make them: roles, rights, secrets."""

import json
import urllib.error
import urllib.request

from harness.kube import wait_until
from harness.network import GATEWAY
from harness.settings import DIRECTORY, PASSWORDS


def test_the_cluster_starts_and_labels_its_pods(kube):
    leader = kube.wait_leader()
    wait_until("labels", lambda: [p.name for p in kube.of_role("primary")] == [leader.name])
    wait_until("replicas", lambda: len(kube.of_role("replica")) == 2)
    wait_until("all pods to be ready", lambda: all(p.ready for p in kube.members()))
    assert kube.resolve("postgres-cluster.databases.svc.cluster.local") == [leader.ip]
    assert len(kube.resolve("postgres-cluster-repl.databases.svc.cluster.local")) == 2
    assert len(kube.resolve("postgres-cluster-headless.databases.svc.cluster.local")) == 3


def test_the_data_directory_is_below_the_volume_and_private(kube):
    data = DIRECTORY / "claims/pgdata-postgres-cluster-0/18/main"
    assert (data / "PG_VERSION").read_text().strip() == "18"
    assert data.stat().st_uid == 999 and data.stat().st_mode & 0o777 == 0o700


def test_roles_and_the_database_are_there(kube):
    found = kube.sql("SELECT rolname, rolsuper, rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid"
                     " WHERE rolname IN ('mlops_user', 'martlet') ORDER BY 1")
    assert found.splitlines() == ["martlet|f|t", "mlops_user|f|t"]
    assert kube.sql("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'mlops'") \
        == "mlops_user"
    assert kube.sql("SELECT has_function_privilege('martlet', 'martlet.user_secret(text)',"
                    " 'execute') AND NOT has_function_privilege('mlops_user',"
                    " 'martlet.user_secret(text)', 'execute')") == "t"


def test_the_hook_may_run_again_and_takes_new_passwords(kube):
    leader = kube.wait_leader()
    before = kube.sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'mlops_user'")
    done = leader.container.run("post-bootstrap", environment={"PGHOST": "/var/run/postgresql"})
    assert "made" not in done.stdout and done.stdout.endswith("done\n")
    assert kube.sql("SELECT rolpassword FROM pg_authid WHERE rolname = 'mlops_user'") != before
    replica = next(p for p in kube.members() if p is not leader)
    refused = replica.container.run(
        "post-bootstrap", check=False, environment={"PGHOST": "/var/run/postgresql"})
    assert refused.returncode != 0 and "replica" in refused.stderr


def test_no_password_is_in_any_log(kube):
    for pod in kube.members():
        for name, password in PASSWORDS.items():
            assert password not in pod.log, name
        assert "SCRAM-SHA-256$" not in pod.log


def test_martlet_sql_is_what_martlet_setup_prints(martlet_binary):
    import subprocess

    from harness.manifests import DEPLOY
    text = (DEPLOY / "images/patroni/sql/martlet.sql").read_text()
    printed = subprocess.run(
        [martlet_binary, "setup"], check=True, capture_output=True, text=True).stdout
    assert text.split("\n", 2)[2] == printed


def test_the_permanent_slot_is_on_all_members(kube):
    for pod in kube.members():
        wait_until(f"the slot on {pod.name}", lambda pod=pod: kube.sql(
            "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'backup'", pod) == "1")


def request(kube, account, method, path, body=None):
    """What the API answers a ServiceAccount."""
    import ssl
    token = kube.token(account) if account else "of nobody"
    asked = urllib.request.Request(
        f"https://{GATEWAY}:6443/api/v1/namespaces/{path}", method=method,
        data=json.dumps(body).encode() if body else None,
        headers={"Authorization": f"Bearer {token}",
                 "Content-Type": "application/merge-patch+json"})
    context = ssl.create_default_context(cafile=kube.authority)
    try:
        with urllib.request.urlopen(asked, context=context, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.read()
        return error.code


def test_rights_are_what_is_used_and_no_more(kube):
    # Bootstrap, clones and all that Patroni does in its loop have taken place by now.
    used = {(r.verb, r.resource) for r in list(kube.api.requests)
            if r.account == "postgres-cluster" and r.code < 400}
    assert used >= {("list", "pods"), ("watch", "pods"), ("patch", "pods"),
                    ("list", "configmaps"), ("watch", "configmaps"), ("create", "configmaps"),
                    ("patch", "configmaps")}
    assert kube.api.refused() == []
    patch = {"metadata": {"annotations": {"x": "y"}}}
    own = "databases/configmaps/postgres-cluster-leader"
    assert request(kube, "postgres-cluster", "GET", own) == 200
    for account, method, path, body in [
        ("postgres-cluster", "PATCH", "databases/configmaps/martlet", patch),
        ("postgres-cluster", "GET", "databases/configmaps/martlet", None),
        ("postgres-cluster", "DELETE", "databases/pods/postgres-cluster-0", None),
        ("postgres-cluster", "DELETE", own, None),
        ("postgres-cluster", "PUT", own, {"metadata": {"name": "postgres-cluster-leader"}}),
        ("postgres-cluster", "GET", "databases/secrets/db", None),
        ("postgres-cluster", "GET", "kube-system/pods", None),
        ("martlet", "PATCH", "databases/pods/postgres-cluster-0", patch),
        ("martlet", "GET", "databases/configmaps", None),
        ("martlet", "PATCH", own, patch),
        ("postgres-backup", "GET", "databases/pods", None),
    ]:
        assert request(kube, account, method, path, body) == 403, (account, method, path)
    assert request(kube, "martlet", "GET", "databases/pods") == 200
    assert request(kube, "martlet", "GET", "databases/configmaps?fieldSelector=metadata.name"
                   "%3Dpostgres-cluster-leader") == 200
    assert request(kube, "", "GET", "databases/pods") == 401
    kube.api.requests.clear()
