# SPDX-License-Identifier: Apache-2.0
"""The worker: `python -m pilotlight.builder.worker.server --parent PID`. See DESIGN.md."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import select
import socket
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pilotlight.builder.exports import RECORD, export_now
from pilotlight.builder.worker.link import NotAMessage, receive, send, user_of
from pilotlight.builder.worker.place import identity, socket_path
from pilotlight.errors import PilotlightError
from pilotlight.export.preload import import_upstream
from pilotlight.export_options import ExportOptions

IDLE_S = 900.0
# How often the worker looks whether its parent lives and its copies have ended.
_LOOK_S = 1.0
_JOB_S = 2.0


class _Left(BaseException):
    """The build has gone. Not an Exception, so that no code takes it for a failure of the model."""


class Worker:
    """Accepts jobs and forks a copy for each."""

    def __init__(
        self, listener: socket.socket, parent: int, idle_s: float, environment: Mapping[str, str], own: str
    ) -> None:
        """environment, own: the variables and the identity of this process before its imports."""
        self._listener, self._parent, self._idle_s = listener, parent, idle_s
        self._environment, self._identity = environment, own
        self._copies: set[int] = set()
        self._replaced = False

    def serve(self) -> None:
        """Return when the parent has ended, nothing was asked for a while, or another worker is
        due.
        """
        last = time.monotonic()
        while not self._replaced and _lives(self._parent) and time.monotonic() - last < self._idle_s:
            readable, _, _ = select.select([self._listener], [], [], _LOOK_S)
            if readable:
                connection, _ = self._listener.accept()
                with connection:
                    self._answer(connection)
            self._reap()
            if readable or self._copies:
                last = time.monotonic()

    def _answer(self, connection: socket.socket) -> None:
        """Receive a job, and fork a copy that does it."""
        connection.settimeout(_JOB_S)
        with contextlib.suppress(OSError, NotAMessage):
            if user_of(connection) != os.getuid():
                return
            job = receive(connection)
            # The second comparison notices that the sources changed since the worker has imported
            # them.
            if job.get("identity") != self._identity or identity(self._environment) != self._identity:
                send(connection, {"accepted": False})
                self._replaced = bool(job.get("replace"))
                return
            send(connection, {"accepted": True})
            copy = os.fork()
            if copy:
                self._copies.add(copy)
                return
            self._listener.close()
            _do(job, connection)

    def _reap(self) -> None:
        """Forget the copies that have ended."""
        for copy in list(self._copies):
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(copy, os.WNOHANG)[0] == 0:
                    continue
            self._copies.discard(copy)


def _do(job: dict[str, Any], connection: socket.socket) -> None:
    """Do a job in a copy of the worker, and end the copy."""
    try:
        connection.settimeout(None)
        send(connection, _outcome(job, connection))
    except (OSError, ValueError, _Left):
        pass
    finally:
        # Not sys.exit(): the copy must not run the worker's own clean-up.
        os._exit(0)


def _outcome(job: dict[str, Any], connection: socket.socket) -> dict[str, Any]:
    """Export, and return the last message."""

    def tell(line: str) -> None:
        try:
            send(connection, {"tell": line})
        except (OSError, ValueError):
            raise _Left from None

    try:
        os.chdir(job["folder"])
        os.umask(int(job["umask"]))
        bundle = Path(job["bundle"])
        export_now(job["model"], ExportOptions(**job["options"]), bundle, tell)
        if _has_left(connection):
            (bundle / RECORD).unlink(missing_ok=True)
            raise _Left
    except PilotlightError as error:
        return {"error": type(error).__name__, "message": str(error), "hint": error.hint}
    except Exception:
        return {"failed": traceback.format_exc()}
    return {"done": True}


def _has_left(connection: socket.socket) -> bool:
    """Whether the build has closed its end. It sends nothing after its job."""
    try:
        return not connection.recv(1, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket | None]:
    """Yield the listening socket at `path`, or None if another worker has it.

    The libraries are imported in between: neither in vain, nor while a build waits for an answer.
    """
    with path.with_suffix(".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        import_upstream()
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(str(path))
            listener.listen(8)
            try:
                yield listener
            finally:
                path.unlink(missing_ok=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parent", type=int, required=True, help="process to end with")
    parser.add_argument("--idle-s", type=float, default=IDLE_S, help="seconds without a job after which to end")
    args = parser.parse_args()
    path, environment = socket_path(), dict(os.environ)
    own = identity(environment)
    if path is None:
        return 1
    with _listening(path) as listener:
        if listener is not None:
            Worker(listener, args.parent, args.idle_s, environment, own).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
