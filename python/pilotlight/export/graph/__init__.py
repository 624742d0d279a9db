# SPDX-License-Identifier: Apache-2.0
"""The captured graph: its nodes, their origins in the model file, and edits."""
