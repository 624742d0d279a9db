# SPDX-License-Identifier: Apache-2.0
"""The results of operations, bit for bit, on NumPy arrays.

This package does not depend on memory layouts or registers.
"""
