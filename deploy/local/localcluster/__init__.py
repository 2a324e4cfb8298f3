# SPDX-License-Identifier: Apache-2.0
"""A real Patroni cluster on one machine, with martlet in front: for the demo and for the tests."""
