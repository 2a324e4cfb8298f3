# SPDX-License-Identifier: Apache-2.0
"""Certificates are good for every name that somebody connects to, from the script and cert-manager."""

import base64
import os
import select
import signal
import subprocess

import pytest
import yaml

import manifests

NAMESPACE = "databases"
SCRIPT = manifests.COMPONENTS / "tls-secrets/make-secrets.sh"
# What martlet, Patroni, replicas, backups and applications ask for.
NAMES = {
    "postgres-tls": (
        f"postgres-cluster-0.postgres-cluster-headless.{NAMESPACE}.svc",
        f"10-1-2-3.postgres-cluster-headless.{NAMESPACE}.svc",
        "postgres-cluster-headless", "postgres-cluster", "postgres-cluster-repl",
        f"postgres-readonly.{NAMESPACE}.svc"),
    "martlet-tls": ("martlet", f"martlet.{NAMESPACE}.svc", f"martlet.{NAMESPACE}.svc.cluster.local"),
}


def covers(pattern, name):
    """As OpenSSL compares: an asterisk is one whole label."""
    if not pattern.startswith("*."):
        return pattern == name
    return name.partition(".")[2] == pattern[2:]


@pytest.fixture(scope="module")
def secrets(tmp_path_factory):
    """The files of each Secret that the script prints."""
    done = subprocess.run([str(SCRIPT), NAMESPACE, "30"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found = {}
    for one in yaml.safe_load_all(done.stdout):
        work = tmp_path_factory.mktemp(one["metadata"]["name"])
        for name, text in one["data"].items():
            (work / name).write_bytes(base64.b64decode(text))
        assert one["type"] == "kubernetes.io/tls"
        found[one["metadata"]["name"]] = work
    return found


def openssl(*arguments):
    """Its output, or None when it says no."""
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=30)
    return done.stdout if done.returncode == 0 else None


@pytest.mark.parametrize("secret", NAMES)
def test_the_script(secret, secrets):
    """OpenSSL verifies each name against the authority in the Secret, and no other name."""
    work = secrets[secret]
    assert set(path.name for path in work.iterdir()) == {"tls.crt", "tls.key", "ca.crt"}

    def good(name, usage="sslserver"):
        return openssl("verify", "-CAfile", work / "ca.crt", "-purpose", usage,
                       "-verify_hostname", name, work / "tls.crt") is not None
    for name in NAMES[secret]:
        assert good(name) and good(name, "sslclient"), name
    for name in ("example.org", "postgres-cluster-0.postgres-cluster-headless.other.svc",
                 f"a.b.postgres-cluster-headless.{NAMESPACE}.svc"):
        assert not good(name), name
    public = openssl("x509", "-in", work / "tls.crt", "-noout", "-pubkey")
    assert public and public == openssl("pkey", "-in", work / "tls.key", "-pubout")


def test_both_are_of_one_authority(secrets):
    """What martlet trusts is what PostgreSQL shows."""
    assert len({(work / "ca.crt").read_text() for work in secrets.values()}) == 1


@pytest.mark.parametrize("secret", NAMES)
def test_cert_manager(secret):
    """The Certificate asks for the same names."""
    objects = manifests.render(("tls-cert-manager",))
    asked = manifests.named(objects, "Certificate", secret)["spec"]["dnsNames"]
    for name in NAMES[secret]:
        assert any(covers(pattern, name) for pattern in asked), name


def test_addresses_are_such_names():
    """What members and readers say of themselves is covered."""
    objects = manifests.render(("tls-secrets",))
    asked = manifests.named(
        manifests.render(("tls-cert-manager",)), "Certificate", "postgres-tls")["spec"]["dnsNames"]
    member = manifests.named(objects, "StatefulSet", "postgres-cluster")["spec"]["template"]
    variables = {one["name"]: one.get("value") for one in member["spec"]["containers"][0]["env"]}
    for name in ("PATRONI_POSTGRESQL_CONNECT_ADDRESS", "PATRONI_RESTAPI_CONNECT_ADDRESS"):
        host = variables[name].rsplit(":", 1)[0].replace("$(PATRONI_NAME)", "postgres-cluster-2")
        host = host.replace("$(PATRONI_KUBERNETES_NAMESPACE)", NAMESPACE)
        assert any(covers(pattern, host) for pattern in asked), host


def test_readers_name_themselves(tmp_path):
    """start.sh, run: the address becomes a name, for IPv6, too."""
    data = manifests.named(manifests.render(("tls-secrets",)), "ConfigMap", "patroni-tls")["data"]
    script = data["start.sh"].replace("/etc/postgres-tls", str(tmp_path))
    script = script.replace("/usr/local/bin/entrypoint.sh", "/usr/bin/env")
    (tmp_path / "tls.crt").write_text("x")
    (tmp_path / "start.sh").write_text(script.replace("sleep 300", "false"))
    for address, label in (("10.1.2.3", "10-1-2-3"), ("fd00::1:2", "fd00--1-2")):
        done = subprocess.run(
            ["/bin/bash", str(tmp_path / "start.sh")], capture_output=True, text=True, timeout=30,
            env={"PATH": "/usr/bin:/bin", "PATRONI_KUBERNETES_POD_IP": address,
                 "ADDRESS_DOMAIN": f"postgres-cluster-headless.{NAMESPACE}.svc"})
        host = f"{label}.postgres-cluster-headless.{NAMESPACE}.svc"
        assert f"PATRONI_POSTGRESQL_CONNECT_ADDRESS={host}:5432" in done.stdout.splitlines()
        assert f"PATRONI_RESTAPI_CONNECT_ADDRESS={host}:8008" in done.stdout.splitlines()


def test_a_renewed_certificate_is_taken_up(tmp_path):
    """start.sh, run: when the file changes, what runs in its place gets SIGHUP."""
    data = manifests.named(manifests.render(("tls-secrets",)), "ConfigMap", "patroni-tls")["data"]
    script = data["start.sh"].replace("/etc/postgres-tls", str(tmp_path)).replace(
        "sleep 300", "sleep 0.1").replace("/usr/local/bin/entrypoint.sh", str(tmp_path / "server"))
    (tmp_path / "tls.crt").write_text("old")
    (tmp_path / "start.sh").write_text(script)
    (tmp_path / "server").write_text(
        "#!/bin/bash\ntrap 'echo reloaded' HUP\necho ready\nwhile :; do sleep 0.1; done\n")
    (tmp_path / "server").chmod(0o755)
    with subprocess.Popen(
            ["/bin/bash", str(tmp_path / "start.sh")], stdout=subprocess.PIPE, bufsize=0,
            start_new_session=True,
            # Under nohup it would be ignored, and a shell cannot trap what it inherits so.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL)) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            # The watcher may look for the first time only now, so the file changes until it is seen.
            for number in range(200):
                (tmp_path / "tls.crt").write_text(f"new {number}")
                if select.select([process.stdout], [], [], 0.5)[0]:
                    break
            else:
                pytest.fail("no SIGHUP came")
            assert process.stdout.readline() == b"reloaded\n"
        finally:
            # The watcher goes with its container; here it is ended.
            os.killpg(process.pid, signal.SIGKILL)
