# SPDX-License-Identifier: Apache-2.0
"""Check reports for people: in the terminal, and as one HTML file with pictures."""
