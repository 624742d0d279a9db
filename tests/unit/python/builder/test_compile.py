# SPDX-License-Identifier: Apache-2.0
"""Messages to the user when CMake, the compiler or the linker refuses."""

from pathlib import Path

import pytest

from pilotlight.boards import MemoryRegion
from pilotlight.builder.compile import _cmake_error, _error_of_a_step, _explain, require_tools
from pilotlight.errors import BuildFailed, CompilerMissing, DoesNotFit

LOG = Path("build.log")

# Output of GNU ld 2.40.
OVERFLOW = """\
[12/12] Linking CXX executable firmware.elf
FAILED: [code=1] firmware.elf
/usr/lib/gcc/../arm-none-eabi/bin/ld: firmware.elf section `.model' will not fit in region `ddr'
/usr/lib/gcc/../arm-none-eabi/bin/ld: region `ddr' overflowed by 1234568 bytes
collect2: error: ld returned 1 exit status
ninja: build stopped: subcommand failed.
"""


# The linker writes this map file although the link fails.
MAP = """\

Linker script and memory map

.model          0x70000000   0x130000
 .model.pilotlight_model_big
                0x70000000   0x100000 CMakeFiles/firmware_models.dir/generated/linked_models.S.obj
 .model.pilotlight_model_small
                0x70100000    0x30000 CMakeFiles/firmware_models.dir/generated/linked_models.S.obj
.tensor_arena   0x70130000    0x40000
 .tensor_arena.pilotlight_shared_arena
                0x70130000    0x40000 CMakeFiles/firmware_models.dir/generated/linked_models.S.obj
.stack          0x30000000    0x80000
"""


def test_overflow_names_region_bytes_over_the_largest_in_it_and_what_to_change(tmp_path: Path) -> None:
    (tmp_path / "firmware.map").write_text(MAP)
    memory = {"ddr": MemoryRegion(0x70000000, 0x100000, ("model", "tensor_arena"))}
    error = _explain(OVERFLOW, memory, tmp_path, LOG)
    assert str(error).splitlines()[1:] == [
        "     1,048,576  big: program",
        "       262,144  shared_arena: planned buffers and NPU scratch",
        "       196,608  small: program",
    ]
    assert isinstance(error, DoesNotFit)
    assert "ddr is over by 1,234,568 bytes" in str(error)
    assert "smaller model" in error.hint and "memory mode" in error.hint


COMMAND = "/usr/bin/arm-none-eabi-g++ -DET_MIN_LOG_LEVEL=Error -I/opt/error/include -c /app/assert.cpp"


@pytest.mark.parametrize(
    "said",
    [
        "assert.cpp:3:1: error: expected ';' before 'return'",
        "assert.cpp:1:10: fatal error: door.h: No such file or directory",
        "start.S:12: Error: bad instruction `movv r0,#1'",
        "door.cpp:(.text.main+0x8): undefined reference to `open_door'",
        "start.o: in function `main': start.c:3: multiple definition of `main'; main.o: main.c:1: first defined here",
    ],
)
def test_an_error_is_quoted_without_the_command_line(said: str) -> None:
    output = (
        f"[1/3] Building CXX object error/error.cpp.obj\nIn file included from /opt/error.h:3:\n"
        f"[2/3] Building CXX object assert.cpp.obj\nFAILED: [code=1] assert.cpp.obj \n{COMMAND}\n"
        f"{said}\nninja: build stopped: subcommand failed.\n"
    )
    assert str(_explain(output, {}, Path(), LOG)) == f"the firmware does not build:\n{said}"


def test_of_an_error_that_is_not_known_the_end_is_quoted() -> None:
    output = (
        f"FAILED: [code=2] a.obj\n{COMMAND}\nsh: /usr/bin/arm-none-eabi-g++: cannot execute\nninja: build stopped\n"
    )
    text = str(_explain(output, {}, Path(), LOG))
    assert text == "the firmware does not build:\nsh: /usr/bin/arm-none-eabi-g++: cannot execute"


def test_compile_error_is_quoted() -> None:
    error = _explain("a.cpp:3:1: error: expected ';'\nninja: build stopped: subcommand failed.\n", {}, Path(), LOG)
    assert isinstance(error, BuildFailed) and not isinstance(error, DoesNotFit)
    assert "a.cpp:3:1: error: expected ';'" in str(error)
    assert "build.log" in error.hint


def test_cmake_error_loses_its_frame() -> None:
    output = "-- ok\nCMake Error at board.cmake:31 (message):\n  BOARD=x: no such board\n\n\nCall Stack:\n"
    assert _cmake_error(output) == "BOARD=x: no such board"


def test_missing_cross_compiler_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CompilerMissing) as caught:
        require_tools("arm-none-eabi-g++")
    assert "apt-get install gcc-arm-none-eabi" in caught.value.hint


def test_error_of_a_build_step_keeps_its_class_words_and_hint() -> None:
    output = (
        "[3/9] Generating code for digits\nFAILED: [code=13] generated/linked_models.c\n"
        "error: region ddr is over by 9 bytes:\n  model 17\n  try: a smaller model\n"
        "ninja: build stopped: subcommand failed.\n"
    )
    error = _error_of_a_step(13, output)
    assert isinstance(error, DoesNotFit)
    assert str(error) == "region ddr is over by 9 bytes:\n  model 17"
    assert error.hint == "a smaller model"


def test_code_of_the_compiler_is_no_error_of_a_step() -> None:
    assert _error_of_a_step(1, "a.cpp:3:1: error: expected ';'\n") is None
