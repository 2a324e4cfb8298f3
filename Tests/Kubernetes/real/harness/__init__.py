# SPDX-License-Identifier: Apache-2.0
"""A small Kubernetes for the tests: an API, a network, and a kubelet for real processes."""
