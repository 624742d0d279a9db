# SPDX-License-Identifier: Apache-2.0
"""Analyses command streams without running them: estimated cycles and hazards."""
