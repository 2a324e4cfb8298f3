# SPDX-License-Identifier: Apache-2.0
"""martlet measured beside its peers."""
