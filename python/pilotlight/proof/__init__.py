# SPDX-License-Identifier: Apache-2.0
"""Proves after linking that an image can run the programs that it embeds. See DESIGN.md."""
