# SPDX-License-Identifier: Apache-2.0
"""From a quantised graph to a program for the NPU and the CPU."""
