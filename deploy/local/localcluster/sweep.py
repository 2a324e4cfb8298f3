# SPDX-License-Identifier: Apache-2.0
"""`python3 -m localcluster.sweep name...` ends what is left of the clusters of these names."""

import sys

from .cluster import Cluster


def main():
    """Ends them, one after another."""
    for name in sys.argv[1:]:
        cluster = Cluster.load(name)
        if cluster:
            cluster.stop()


if __name__ == "__main__":
    main()
