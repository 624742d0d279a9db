# SPDX-License-Identifier: Apache-2.0
"""How every command ends: with one message and its exit code.

Only commands that export load PyTorch.
"""

import argparse
import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pilotlight.cli import COMMANDS, run_command
from pilotlight.errors import DoesNotFit, PilotlightError, error_classes
from pilotlight.paths import ROOT


def failing(error: PilotlightError, **options: object) -> argparse.Namespace:
    def handler(args: argparse.Namespace) -> int:
        raise error

    return argparse.Namespace(handler=handler, **options)


def test_an_error_is_one_message_with_its_hint_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(failing(DoesNotFit("ddr is over by 9 bytes", hint="a smaller model"))) == 13
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: ddr is over by 9 bytes\n  try: a smaller model\n"


def test_with_json_the_error_is_json_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(failing(DoesNotFit("over", hint="smaller"), json=True)) == 13
    report = json.loads(capsys.readouterr().out)
    assert report == {"error": "DoesNotFit", "message": "over", "hint": "smaller", "exit_code": 13}


def test_no_two_kinds_of_error_share_an_exit_code() -> None:
    codes = [error.exit_code for error in error_classes()]
    assert len(set(codes)) == len(codes)
    assert 0 not in codes and 1 not in codes


def test_help_of_all_commands_loads_neither_torch_nor_matplotlib() -> None:
    program = (
        "import sys; from pilotlight.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'matplotlib', 'executorch'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
    for name in COMMANDS:
        assert f"\n    {name} " in result.stdout or f"\n    {name}\n" in result.stdout


def test_the_list_of_commands_loads_none_of_them_and_a_command_loads_only_itself() -> None:
    program = (
        "import sys; from pilotlight.cli import COMMANDS, main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print([name for name in COMMANDS if 'pilotlight.' + COMMANDS[name].module in sys.modules])"
    )
    for arguments, loaded in ((["--help"], []), (["--version"], []), (["boards", "--help"], ["boards"])):
        result = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
        assert result.stdout.splitlines()[-1] == str(loaded)


def test_the_list_of_commands_has_the_help_of_each() -> None:
    subparsers = argparse.ArgumentParser().add_subparsers()
    for command in COMMANDS.values():
        command.load().add_parser(subparsers)
    assert {action.dest: action.help for action in subparsers._choices_actions} == {
        name: command.help for name, command in COMMANDS.items()
    }


def test_every_module_of_a_command_is_in_the_list() -> None:
    package = ROOT / "python/pilotlight"
    files = {file.relative_to(package).with_suffix("") for file in package.rglob("*command.py")}
    assert {command.load().__name__ for command in COMMANDS.values()} == {
        ".".join(("pilotlight", *file.parts)) for file in files
    }


def test_a_reader_that_stops_reading_sees_no_traceback() -> None:
    program = (
        "import argparse, sys; from pilotlight.cli import run_command\n"
        "def handler(args):\n"
        "    while True: print('line', flush=True)\n"
        "sys.exit(run_command(argparse.Namespace(handler=handler)))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_full_disk_is_an_error_that_names_the_file(wrapped: bool, capsys: pytest.CaptureFixture[str]) -> None:
    def handler(args: argparse.Namespace) -> int:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "out/model.pte")
        except OSError:
            if wrapped:
                raise RuntimeError("a library says something else") from None
            raise

    assert run_command(argparse.Namespace(handler=handler)) == 33
    said = capsys.readouterr().err
    assert said.startswith("error: out/model.pte cannot be written: No space left on device\n  try: make room")


def test_another_fault_of_ours_is_still_seen() -> None:
    def handler(args: argparse.Namespace) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", "out")

    with pytest.raises(PermissionError):
        run_command(argparse.Namespace(handler=handler))


def test_a_command_that_may_write_no_more_says_so_and_leaves_the_earlier_result(tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    out.mkdir()
    (out / "model.pte").write_bytes(b"earlier")
    program = (
        "import resource, signal, sys; from pilotlight.cli import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        f"sys.exit(main(['export', 'digits', '--npu', 'ethos-u55-128', '-o', {str(out)!r}]))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 33, result.stderr[-2000:]
    assert "cannot be written: File too large" in result.stderr and "Traceback" not in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"bundle", "bundle.failed.log"}
    assert (out / "model.pte").read_bytes() == b"earlier"
