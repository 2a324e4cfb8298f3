# SPDX-License-Identifier: Apache-2.0
"""What several of the integration tests use."""
