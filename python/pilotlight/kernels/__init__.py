# SPDX-License-Identifier: Apache-2.0
"""The firmware's CPU operators: the list of kernels, and the C++ that registers them.

See DESIGN.md.
"""
