# SPDX-License-Identifier: Apache-2.0
"""A build lets the worker export, and exports by itself whenever the worker cannot.

The worker is the real process; its export is a stand-in that takes no time.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pilotlight.builder.exports import RECORD
from pilotlight.builder.worker import client, is_wanted, link, place
from pilotlight.builder.worker.client import export_in_worker
from pilotlight.builder.worker.place import socket_path
from pilotlight.deadline import Deadline
from pilotlight.errors import ModelError, StorageFull
from pilotlight.export_options import ExportOptions

OPTIONS = ExportOptions("ethos-u55-128")
# Runs the worker with another export and without PyTorch.
WORKER = """
import os, sys, time
from pathlib import Path

from pilotlight.builder.worker import server
from pilotlight.errors import ModelError, StorageFull


def export_now(model, options, bundle, tell):
    tell("exporting " + model)
    if model == "refused":
        raise ModelError("no such layer", hint="another layer")
    if model == "full":
        raise StorageFull("model.pte cannot be written", hint="make room")
    if model == "broken":
        raise KeyError(model)
    if model == "killed":
        os.kill(os.getpid(), 9)
    for _ in range(2000 if model == "slow" else 0):
        time.sleep(0.01)
        tell("still")
    bundle.mkdir()
    (bundle / "made").write_text(f"{options.npu} {os.getpid()} {Path.cwd()}")
    (bundle / server.RECORD).write_text("{}")


server.export_now = export_now
# PyTorch's import does this, too.
server.import_upstream = lambda: os.environ.update(TORCHINDUCTOR_CACHE_DIR="/tmp")
sys.exit(server.main())
"""


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A private folder for sockets. Its path is short, as the address of a socket must be."""
    with tempfile.TemporaryDirectory(prefix="pl-", dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        monkeypatch.delenv("PILOTLIGHT_EXPORT_WORKER", raising=False)
        yield Path(folder)


@contextmanager
def worker(*arguments: str, parent: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", WORKER, "--parent", str(parent or os.getpid()), *arguments]
    with subprocess.Popen(command) as process:
        try:
            until(lambda: listens() or process.poll() is not None)
            yield process
        finally:
            process.kill()


def listens() -> bool:
    path = socket_path()
    assert path is not None
    try:
        link.connect(path, 5).close()
    except OSError:
        return False
    return True


def until(holds: Callable[[], bool]) -> None:
    deadline = Deadline(60)
    while not holds():
        assert not deadline.passed
        time.sleep(0.01)


def export(model: str, bundle: Path, lines: list[str] | None = None) -> bool:
    return export_in_worker(model, OPTIONS, bundle, (lines if lines is not None else []).append)


def test_each_job_runs_in_a_process_of_its_own_in_the_folder_of_the_build(tmp_path: Path) -> None:
    lines: list[str] = []
    with worker() as process:
        for name in ("first", "second"):
            assert export("m", tmp_path / name, lines)
    made = [(tmp_path / name / "made").read_text().split() for name in ("first", "second")]
    assert lines == ["exporting m", "exporting m"]
    assert all(npu == "ethos-u55-128" and folder == str(Path.cwd()) for npu, _, folder in made)
    assert len({str(process.pid), *(pid for _, pid, _ in made)}) == 3


def test_an_error_of_the_export_arrives_whole(tmp_path: Path) -> None:
    with worker():
        with pytest.raises(ModelError, match="no such layer") as error:
            export("refused", tmp_path / "bundle")
        assert error.value.hint == "another layer"
        with pytest.raises(StorageFull, match="cannot be written"):
            export("full", tmp_path / "bundle")


@pytest.mark.parametrize("model", ["broken", "killed"])
def test_a_build_goes_on_alone_when_the_copy_fails_or_is_killed(tmp_path: Path, model: str) -> None:
    with worker():
        assert not export(model, tmp_path / "bundle")
        assert export("m", tmp_path / "bundle")


def test_a_failure_of_the_progress_output_is_not_taken_for_one_of_the_worker(tmp_path: Path) -> None:
    def closed(line: str) -> None:
        raise BrokenPipeError(line)

    with worker(), pytest.raises(BrokenPipeError, match="exporting m"):
        export_in_worker("m", OPTIONS, tmp_path / "bundle", closed)


def test_a_build_goes_on_alone_when_there_is_no_worker(tmp_path: Path) -> None:
    assert not export("m", tmp_path / "bundle")


def test_a_build_goes_on_alone_when_the_worker_was_killed(tmp_path: Path) -> None:
    with worker() as process:
        process.kill()
        process.wait()
        assert not export("m", tmp_path / "bundle")
    with worker():  # Another one takes its place.
        assert export("m", tmp_path / "bundle")


def test_a_build_goes_on_alone_when_the_worker_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with worker() as process:
        process.send_signal(signal.SIGSTOP)
        monkeypatch.setattr(client, "_ACCEPT_S", 0.2)
        assert not export("m", tmp_path / "bundle")
        process.send_signal(signal.SIGCONT)
    assert not (tmp_path / "bundle").exists()


def test_a_build_goes_on_alone_when_something_else_listens(tmp_path: Path) -> None:
    path = socket_path()
    assert path is not None
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen()
        for answer in (b"not JSON", b"[]", b""):
            process = os.fork()
            if process == 0:
                connection, _ = listener.accept()
                connection.recv(link.MOST_BYTES)
                connection.send(answer)
                os._exit(0)
            assert not export("m", tmp_path / "bundle")
            os.waitpid(process, 0)


def test_another_identity_is_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with worker() as process:
        with monkeypatch.context() as changed:
            changed.setenv("MODEL_WIDTH", "3")
            assert not export("m", tmp_path / "bundle")
        assert export("m", tmp_path / "bundle")
        with monkeypatch.context() as changed:
            changed.setattr(place, "installed_packages", lambda: {"torch": "3.0"})
            changed.setattr(client, "is_wanted", lambda: True)
            assert not export("m", tmp_path / "other")
        # That build starts a worker of its own, so this one ends.
        assert process.wait(60) == 0


def test_the_identity_has_the_sources_the_packages_and_the_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "module.py").write_text("a = 1")
    monkeypatch.setattr(place, "_PACKAGE", package)
    found = {place.identity(os.environ)}
    monkeypatch.setenv("MODEL_WIDTH", "3")
    found.add(place.identity(os.environ))
    (package / "module.py").write_text("a = 12")
    found.add(place.identity(os.environ))
    monkeypatch.setattr(place, "installed_packages", lambda: {"torch": "3.0"})
    found.add(place.identity(os.environ))
    monkeypatch.setenv("COLUMNS", "72")
    assert len(found) == 4 and place.identity(os.environ) in found


def test_the_worker_ends_with_its_parent_and_when_nobody_asks() -> None:
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with worker(parent=parent.pid) as process:
        assert process.poll() is None
        parent.communicate()
        assert process.wait(60) == 0
    with worker("--idle-s", "0.1") as process:
        assert process.wait(60) == 0
    assert [entry.suffix for entry in Path(str(socket_path())).parent.iterdir()] == [".lock"]


def test_only_one_worker_listens(tmp_path: Path) -> None:
    with worker() as first:
        with worker() as second:
            assert second.wait(60) == 0
        assert first.poll() is None and export("m", tmp_path / "bundle")


def test_an_interrupted_build_leaves_no_record(tmp_path: Path) -> None:
    def interrupt(line: str) -> None:
        if line == "still":
            raise KeyboardInterrupt

    with worker() as process:
        with pytest.raises(KeyboardInterrupt):
            export_in_worker("slow", OPTIONS, tmp_path / "bundle", interrupt)
        until(lambda: not Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())
    assert not (tmp_path / "bundle" / RECORD).exists()


def test_a_folder_that_others_can_use_is_not_used(
    runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = runtime / f"pilotlight-{os.getuid()}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    assert socket_path() is None
    folder.chmod(0o700)
    assert socket_path() is not None
    folder.rmdir()
    folder.symlink_to(tmp_path)
    assert socket_path() is None
    folder.unlink()
    folder.write_text("")
    assert socket_path() is None
    # Without a private folder of the session, the temporary folder serves.
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/")
    monkeypatch.setattr("tempfile.tempdir", str(runtime))
    folder.unlink()
    assert socket_path() is not None
    # A path that is too long is no address.
    (runtime / ("long" * 30)).mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(runtime / ("long" * 30)))
    assert socket_path() is None


@pytest.mark.parametrize(("value", "wanted"), [("on", True), ("off", False), ("", False)])
def test_a_build_without_a_terminal_starts_a_worker_only_if_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, wanted: bool
) -> None:
    monkeypatch.setenv("PILOTLIGHT_EXPORT_WORKER", value)
    assert is_wanted() is wanted
    with worker():
        assert export("m", tmp_path / "bundle") is (value != "off")


BUILDS = """
import os, sys
from pilotlight.builder.worker import export_in_worker, start_worker

os.environ["KMP_INIT_AT_FORK"] = "FALSE"  # As PyTorch's import does.
start_worker()
"""


def test_a_worker_that_a_build_started_serves_the_next_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With PyTorch. The copy then fails, because there is no such model."""
    build = tmp_path / "build.py"
    build.write_text(BUILDS)
    shell = f"{sys.executable} {build}; while true; do sleep 0.1; done"
    with subprocess.Popen(["sh", "-c", shell], start_new_session=True) as parent:
        try:
            until(listens)
            line = (
                "import sys; from pathlib import Path\n"
                "from pilotlight.builder.worker import export_in_worker\n"
                "from pilotlight.export_options import ExportOptions\n"
                "export_in_worker('no such model', ExportOptions('ethos-u55-128'), Path(sys.argv[1]), print)\n"
            )
            asked = [sys.executable, "-c", line, str(tmp_path / "bundle")]
            done = subprocess.run(asked, capture_output=True, text=True, check=False)
            assert "ConfigError: model 'no such model': no such file" in done.stderr
        finally:
            os.killpg(parent.pid, signal.SIGKILL)
