# SPDX-License-Identifier: Apache-2.0
"""Prints check reports in the terminal, and writes them as one HTML file with pictures."""
