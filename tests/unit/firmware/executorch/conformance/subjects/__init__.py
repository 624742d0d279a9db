# SPDX-License-Identifier: Apache-2.0
"""What the exporter can put into a .pte, one subject a file; each function of a file's CASES makes one program."""
