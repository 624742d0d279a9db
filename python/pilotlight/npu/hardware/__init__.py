# SPDX-License-Identifier: Apache-2.0
"""The NPU as its driver sees it: registers, interrupt, counters and the execution of streams."""
