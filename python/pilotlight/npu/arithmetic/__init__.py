# SPDX-License-Identifier: Apache-2.0
"""The results of operations, bit for bit, on NumPy arrays.

This package knows no memory layout and no registers.
"""
