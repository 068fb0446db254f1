# SPDX-License-Identifier: Apache-2.0
"""A gRPC service to guard: the doors of Cloud City, and an echo service beside it."""
