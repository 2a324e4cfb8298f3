# SPDX-License-Identifier: Apache-2.0
"""What the tests agree on."""

import os
from pathlib import Path

HOME = Path(os.environ.get("MARTLET_LOCAL_HOME", "/var/lib/martlet-demo"))
# Whatever Tests/Kubernetes/setup.sh has fetched comes first.
PATH = f"{HOME}/kubernetes-tools/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Two sessions of the tests may run beside each other; each has a network and a directory.
SLOT = int(os.environ.get("MARTLET_TEST_SLOT", "0"))
DIRECTORY = HOME / f"kubernetes-real-{SLOT}"

PASSWORDS = {
    "POSTGRES_PASSWORD": "of-the-superuser", "POSTGRES_REPLICATION_PASSWORD": "of-replication",
    "PATRONI_RESTAPI_PASSWORD": "of-the-rest-api", "MARTLET_PASSWORD": "of-martlet",
    "APP_PASSWORD": "of-the-application",
}
