# SPDX-License-Identifier: Apache-2.0
"""Streams sound to the keyword app and reports the keywords that it hears. See DESIGN.md."""
