# SPDX-License-Identifier: Apache-2.0
"""Command streams as data: products, commands, registers and the operations that they describe."""
