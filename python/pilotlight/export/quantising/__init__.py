# SPDX-License-Identifier: Apache-2.0
"""Quantisation, and models that are quantised already."""
