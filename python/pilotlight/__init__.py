# SPDX-License-Identifier: Apache-2.0
"""Pilotlight: from a PyTorch model to a proved Cortex-M55 + Ethos-U firmware image."""

__version__ = "0.1.0"
