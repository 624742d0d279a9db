# SPDX-License-Identifier: Apache-2.0
"""Finds that the clock was set back after a folder was built.

The build system compares times. A source that is edited after the clock was set back looks older
than its object, and the image would be stale without a word.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

# Ninja writes its log at the end of each step.
_LOG = ".ninja_log"
# File systems and small corrections of the clock may differ by this much.
_TOLERANCE_NS = 1_000_000_000


def forget_times_after_now(folder: Path) -> bool:
    """Let Ninja run every step of `folder` again if its last step ended after the present time.

    Returns whether it will. Ninja runs a step that its log does not name.
    """
    log = folder / _LOG
    try:
        last = log.stat().st_mtime_ns
        # The time by the folder's own file system, which another machine may keep.
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".now-") as now:
            is_later = last > Path(now.name).stat().st_mtime_ns + _TOLERANCE_NS
        if is_later:
            log.unlink()
    except OSError:
        return False  # There is no log yet. A folder that cannot be written fails later, with a message.
    return is_later
