# SPDX-License-Identifier: Apache-2.0
"""Plans of operations, one file per kind. See planner.py."""
