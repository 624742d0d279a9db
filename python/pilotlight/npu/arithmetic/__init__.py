# SPDX-License-Identifier: Apache-2.0
"""What operations compute, bit for bit, on NumPy arrays. Knows no memory layout and no registers."""
