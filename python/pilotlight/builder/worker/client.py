# SPDX-License-Identifier: Apache-2.0
"""A build's side: lets the worker export, and starts one for the builds that follow."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pilotlight.builder.worker.link import NotAMessage, connect, receive, send, user_of
from pilotlight.builder.worker.place import identity, socket_path
from pilotlight.errors import PilotlightError, error_classes
from pilotlight.export_options import ExportOptions

_SWITCH = "PILOTLIGHT_EXPORT_WORKER"
# Within this time, the worker has to accept a job. It only compares a hash and forks.
_ACCEPT_S = 2.0
# As the user's shell made it. Importing PyTorch adds variables, which would be part of the worker's
# identity.
_ENVIRONMENT = dict(os.environ)


def is_wanted() -> bool:
    """Whether this build may start a worker for the builds that follow."""
    return os.environ.get(_SWITCH) != "off" and (os.environ.get(_SWITCH) == "on" or sys.stderr.isatty())


def export_in_worker(model: str, options: ExportOptions, bundle: Path, progress: Callable[[str], None]) -> bool:
    """Export in the worker. Return False if there is none, or if it failed in another way than the
    export would.

    Raises the error of this package that the export raised.
    """
    path = socket_path() if os.environ.get(_SWITCH) != "off" else None
    if path is None or not path.exists():
        return False
    umask = os.umask(0)
    os.umask(umask)
    job = {
        "identity": identity(os.environ),
        "replace": is_wanted(),
        "folder": str(Path.cwd()),
        "umask": umask,
        "model": model,
        "options": asdict(options),
        "bundle": str(bundle.absolute()),
    }
    with contextlib.closing(_answers(path, job)) as answers:
        for said in answers:
            if "tell" in said:
                progress(str(said["tell"]))
            elif "error" in said:
                raise _error(str(said["error"]), str(said.get("message", "")), str(said.get("hint", "")))
            else:
                return bool(said.get("done"))
    return False


def _answers(path: Path, job: dict[str, Any]) -> Generator[dict[str, Any], None, None]:
    """Yield what the worker says of an accepted job, until the connection ends."""
    # Errors of the connection alone: those of the caller's progress output are its own.
    with contextlib.suppress(OSError, ValueError, NotAMessage), connect(path, _ACCEPT_S) as connection:
        if user_of(connection) != os.getuid():
            return
        send(connection, job)
        if not receive(connection).get("accepted"):
            return
        # From here on, the connection is closed when the process at the other end ends.
        connection.settimeout(None)
        while True:
            yield receive(connection)


def _error(name: str, message: str, hint: str) -> PilotlightError:
    known = next((error for error in error_classes() if error.__name__ == name), PilotlightError)
    return known(message, hint=hint)


def start_worker() -> None:
    """Start a worker that ends with the process that started this one. Does not wait for it."""
    command = [sys.executable, "-m", "pilotlight.builder.worker.server", "--parent", str(os.getppid())]
    try:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env=_ENVIRONMENT,
        )
    except OSError:
        return
