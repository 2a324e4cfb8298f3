# SPDX-License-Identifier: Apache-2.0
"""A certificate authority for tests: the `openssl` command and a directory."""

import os
import shutil
import subprocess

from .processes import Failure

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """Signs certificates: `<name>.crt` and `<name>.key`, in one directory."""

    def __init__(self, directory, name="ca"):
        self.directory = directory
        self.name = name
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o755)
        if not self.file.exists():
            openssl("req", "-x509", *KEY, "-days", "30", "-subj", f"/CN={name}",
                    "-keyout", self.path(f"{name}.key"), "-out", self.file)

    def path(self, name):
        """A file of the directory."""
        return self.directory / name

    @property
    def file(self):
        """The authority's own certificate."""
        return self.path(f"{self.name}.crt")

    def make(self, name, common_name="localhost", names="DNS:localhost,IP:127.0.0.1", days=30):
        """A certificate and its key, which only its owner may read; returns both files."""
        certificate, key = self.path(f"{name}.crt"), self.path(f"{name}.key")
        request, extensions = self.path(f"{name}.csr"), self.path(f"{name}.ext")
        openssl("req", "-new", *KEY, "-subj", f"/CN={common_name}", "-keyout", key, "-out", request)
        extensions.write_text(f"subjectAltName={names}\n")
        openssl("x509", "-req", "-in", request, "-CA", self.file,
                "-CAkey", self.path(f"{self.name}.key"), "-days", str(days),
                "-extfile", extensions, "-out", certificate)
        key.chmod(0o600)
        return certificate, key

    def give(self, name, account):
        """Makes another user the owner of a certificate's files, where that is possible."""
        if os.geteuid() == 0:
            for kind in ("crt", "key"):
                shutil.chown(self.path(f"{name}.{kind}"), account)


def openssl(*words):
    """Runs one command of openssl."""
    done = subprocess.run(
        ["/usr/bin/openssl", *map(str, words)],
        capture_output=True, text=True, check=False, timeout=60,
    )
    if done.returncode != 0:
        raise Failure(f"openssl {words[0]} failed:\n{done.stderr}")
