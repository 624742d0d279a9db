# SPDX-License-Identifier: Apache-2.0
"""Streaming sound to the keyword app and reporting what it hears. See DESIGN.md in this folder."""
