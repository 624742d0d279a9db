# SPDX-License-Identifier: Apache-2.0
"""The golden outputs and their comparison with PyTorch."""
