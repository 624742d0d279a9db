# SPDX-License-Identifier: Apache-2.0
"""Measures the flash and RAM of an image, and the cost of a change. See DESIGN.md."""
