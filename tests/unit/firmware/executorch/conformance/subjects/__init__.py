# SPDX-License-Identifier: Apache-2.0
"""The constructs that the exporter can put into a .pte, one subject per file. Each function in a
file's CASES makes one program."""
