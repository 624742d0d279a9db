# SPDX-License-Identifier: Apache-2.0
"""The export's report: its records, findings and text."""
