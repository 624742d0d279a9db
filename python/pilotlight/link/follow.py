# SPDX-License-Identifier: Apache-2.0
"""Shows a target's output without sending requests."""

from __future__ import annotations

from collections.abc import Iterator

from pilotlight.link.answers import LogLine
from pilotlight.link.exchange import MAX_BODY_BYTES
from pilotlight.link.frames import DamagedFrame, FrameReader
from pilotlight.link.messages import Malformed, Unasked
from pilotlight.link.transport import Link

_POLL_S = 0.5
_READ_BYTES = 4096


def follow(link: Link) -> Iterator[str]:
    """Yield a line for each log frame, boot and damaged frame until the link breaks.

    Raises TargetDied.
    """
    reader = FrameReader(MAX_BODY_BYTES)
    while True:
        for item in reader.feed(link.read(_READ_BYTES, _POLL_S)):
            if isinstance(item, DamagedFrame):
                yield f"(damaged frame: {item.reason}, {item.received_bytes} bytes)"
            elif item.type == Unasked.LOG:
                try:
                    line = LogLine.decode(item.payload)
                except Malformed as error:
                    yield f"(log frame that cannot be read: {error})"
                else:
                    yield f"{line.level.name.lower()}: {line.text}"
            elif item.type == Unasked.BOOT:
                yield "(the target booted)"
