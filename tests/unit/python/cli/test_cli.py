# SPDX-License-Identifier: Apache-2.0
"""How every command ends: one message, its exit code, and no PyTorch unless it exports."""

import argparse
import json
import subprocess
import sys

import pytest

from pilotlight.cli import COMMANDS, run_command
from pilotlight.errors import DoesNotFit, PilotlightError, error_classes


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
