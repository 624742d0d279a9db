# SPDX-License-Identifier: Apache-2.0
"""Talking to a target: byte links, frames, messages and the session (firmware/protocol/SPEC.md)."""

from pilotlight.link.session import Session
from pilotlight.link.transport import Link, open_link

__all__ = ["Link", "Session", "open_link"]
