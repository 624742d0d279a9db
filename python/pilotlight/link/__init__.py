# SPDX-License-Identifier: Apache-2.0
"""The host side of firmware/protocol/SPEC.md: byte links, frames, messages and the session."""

from pilotlight.link.session import Session
from pilotlight.link.transport import Link, open_link

__all__ = ["Link", "Session", "open_link"]
