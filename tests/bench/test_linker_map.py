# SPDX-License-Identifier: Apache-2.0
"""The map parser, compared with a hand-made map and with the ELF of a real link."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# A test in a folder without __init__.py imports its neighbours by name.
sys.path.insert(0, str(Path(__file__).parent))

from footprint import CODE, DATA, Use, by_component, runtime_code_elsewhere, sections_of

from pilotlight.boards import load_board
from pilotlight.paths import ROOT

# This text has the form of GNU ld's map: a long name moves the rest to the next line, merged
# strings overlap, unwind tables have the size from before they were joined, and discarded sections
# come first.
MAP = """\
Discarded input sections

 .text.dropped  0x00000000      0x400 firmware/executorch/libpilotlight_executorch.a(program.cpp.obj)

Memory Configuration

Linker script and memory map

LOAD firmware/executorch/libpilotlight_executorch.a
                0x00008000                        __budget_stack_bytes = 0x8000

.text           0x10000000       0x60
 *(.text .text.*)
 .text.main     0x10000000       0x10 firmware/apps/check/CMakeFiles/firmware.dir/main.cpp.obj
                0x10000000                main
 .text._ZN10executorch7runtime6Method7executeEv
                0x10000010       0x1e firmware/executorch/libpilotlight_executorch.a(method_execute.cpp.obj)
                0x10000010                executorch::runtime::Method::execute()
 *fill*         0x1000002e        0x2
 .text._ZN10executorch7runtime15MemoryAllocator8allocateEjj
                0x10000030       0x14 firmware/model/libpilotlight_model.a(model.cpp.obj)
 .text          0x10000044        0x0 firmware/platform/libpilotlight_platform.a(log.cpp.obj)
 .text          0x10000044       0x18 /usr/lib/arm-none-eabi/lib/libc_nano.a(lib_a-memcpy.o)
                0x10000060                        . = ALIGN (0x4)
 *fill*         0x1000005c        0x4

.rodata         0x10000060       0x20
 *(.rodata .rodata.*)
 .rodata.Fail.str1.1
                0x10000060       0x14 firmware/ethos_u/libpilotlight_ethos_u.a(npu.cpp.obj)
                                 0x19 (size before relaxing)
 .rodata.init.str1.1
                0x10000070       0x10 firmware/ethos_u/libpilotlight_ethos_u.a(backend.cpp.obj)

.ARM.exidx      0x10000080        0x8
 .ARM.exidx     0x10000080        0x8 /usr/lib/gcc/arm-none-eabi/12.2.1/libgcc.a(_udivmoddi4.o)
 .ARM.exidx.text.main
                0x10000088        0x8 firmware/apps/check/CMakeFiles/firmware.dir/main.cpp.obj

.model          0x70000000      0x100
 .model.x       0x70000000      0x100 CMakeFiles/firmware_models.dir/generated/linked_models.S.obj

.bss            0x30000000       0x30
 .bss.registry  0x30000000       0x20 firmware/executorch/libpilotlight_executorch.a(operator_registry.cpp.obj)
 COMMON         0x30000020        0x8 vendor/odd.o

.debug_info     0x00000000      0x100
 .debug_info    0x00000000      0x100 firmware/protocol/libpilotlight_protocol.a(frame.cpp.obj)
"""


@pytest.fixture
def map_file(tmp_path: Path) -> Path:
    path = tmp_path / "firmware.map"
    path.write_text(MAP, encoding="utf-8")
    return path


def test_every_byte_goes_to_the_component_whose_object_it_came_from(map_file: Path) -> None:
    assert by_component(map_file) == {
        "runtime core": Use(code=0x1E, ram=0x20),
        "C and C++ library": Use(code=0x18 + 8, ram=0),
        "model API": Use(code=0x14, ram=0),
        "app": Use(code=0x10, ram=8),
        "driver": Use(code=0x10, ram=0),
        "delegate": Use(code=0x10, ram=0),
        "padding": Use(code=2 + 4, ram=8),
    }


def test_inline_functions_of_the_runtime_are_found_in_other_components(map_file: Path) -> None:
    assert runtime_code_elsewhere(map_file) == 0x14


# Links the parts of an image, without an export, which would take minutes.
@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("linked")
    source = ROOT / "tests" / "emulator" / "firmware"
    tool = shutil.which("cmake")
    assert tool is not None
    link_flags = f"-DCMAKE_EXE_LINKER_FLAGS=-mcpu=cortex-m55 -mthumb -mfloat-abi=hard -nostartfiles -specs=nano.specs \
-Wl,--gc-sections -Wl,-Map={folder}/firmware.map"
    configure = [tool, "-S", str(source), "-B", str(folder), "-G", "Ninja", "-DBOARD=qemu-corstone300", link_flags]
    for command in (configure, [tool, "--build", str(folder), "-j", "2"]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_components_of_a_real_image_add_up_to_the_sections_of_its_elf(linked: Path) -> None:
    uses, sections = by_component(linked / "firmware.map"), sections_of(linked / "firmware.elf")
    assert sum(use.code for use in uses.values()) == sum(sections.get(name, 0) for name in CODE)
    assert sum(use.ram for use in uses.values()) == sum(sections.get(name, 0) for name in DATA)


def test_padding_of_a_real_image_is_little_and_its_libraries_are_known(linked: Path) -> None:
    uses = by_component(linked / "firmware.map")
    total = sum(use.code for use in uses.values())
    # The probe's own objects are the app. Everything else belongs to our libraries or the compiler.
    # Padding is at most one granule where a region ends.
    assert uses["padding"].code < total / 100 + 4 * load_board("qemu-corstone300").cpu.mpu_granule_bytes
    assert uses["platform"].code > 1000
    assert uses["C and C++ library"].code > 1000
