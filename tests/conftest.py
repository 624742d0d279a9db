# SPDX-License-Identifier: Apache-2.0
"""What holds for every test."""

pytest_plugins = ["time_limit"]
