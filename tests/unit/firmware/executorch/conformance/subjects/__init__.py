# SPDX-License-Identifier: Apache-2.0
"""What the exporter can put into a .pte, one subject per file. Each function in a file's CASES makes one program."""
