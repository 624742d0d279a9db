# SPDX-License-Identifier: Apache-2.0
"""Offsets, fields and events of the NPU's registers are Arm's, in the driver and in the simulator.

The reference is the register description in Vela's wheel, which Arm generates from its sources.
"""

from __future__ import annotations

import re
import subprocess
from enum import Enum
from pathlib import Path

import pytest
from ethosu.vela.ethos_u55_regs import ethos_u55_regs as arm

from pilotlight.npu.hardware.device import _shadow_offsets
from pilotlight.npu.hardware.registers import (
    FAULTING_CHANNEL_BIT,
    FAULTS,
    IRQ_HISTORY_BIT,
    Cmd,
    Event,
    Pmcr,
    Reg,
    Status,
)
from pilotlight.npu.stream.products import U55, U65

ROOT = Path(__file__).resolve().parents[2]
HEADER = ROOT / "firmware/ethos_u/include/pilotlight/ethos_u/registers.h"

OFFSETS = {
    register.name: register.value
    for block in (arm.BASE, arm.BASE_POINTERS, arm.DEBUG, arm.ID, arm.PMU)
    for register in block
    if register.name != "SIZE"
}
# Registers whose names in the driver are not Arm's names in another spelling.
OF_DRIVER = {
    **{"kQBaseLow": "QBASE0", "kQBaseHigh": "QBASE1", "kRegionCfg": "REGIONCFG"},
    **{"kPmCntEnSet": "PMCNTENSET", "kPmCcntrLow": "PMCCNTR_LO", "kPmCcntrHigh": "PMCCNTR_HI"},
    "kPmCcntrCfg": "PMCCNTR_CFG",
}
FIELDS_OF_DRIVER = {
    "kIdArchMajor": (arm.id_r, "arch_major_rev"),
    "kIdArchMinor": (arm.id_r, "arch_minor_rev"),
    "kIdArchPatch": (arm.id_r, "arch_patch_rev"),
    "kStatusFaultingInterface": (arm.status_r, "faulting_interface"),
    "kStatusFaultingChannel": (arm.status_r, "faulting_channel"),
    "kConfigMacsLog2": (arm.config_r, "macs_per_cc"),
    "kConfigStreamVersion": (arm.config_r, "cmd_stream_version"),
    "kConfigProduct": (arm.config_r, "product"),
}
BITS_OF_DRIVER = {
    "kStatusRunning": (arm.status_r, "state"),
    "kStatusIrqRaised": (arm.status_r, "irq_raised"),
    "kStatusBusFault": (arm.status_r, "bus_status"),
    "kStatusResetting": (arm.status_r, "reset_status"),
    "kStatusParseFault": (arm.status_r, "cmd_parse_error"),
    "kStatusEndReached": (arm.status_r, "cmd_end_reached"),
    "kStatusWeightFault": (arm.status_r, "wd_fault"),
    "kStatusEccFault": (arm.status_r, "ecc_fault"),
    "kCmdRun": (arm.cmd_r, "transition_to_running_state"),
    "kCmdClearIrq": (arm.cmd_r, "clear_irq"),
    "kCmdClockMayStop": (arm.cmd_r, "clock_q_enable"),
    "kCmdPowerMayStop": (arm.cmd_r, "power_q_enable"),
    "kResetPrivileged": (arm.reset_r, "pending_cpl"),
    "kResetNonSecure": (arm.reset_r, "pending_csl"),
    "kPmcrEnable": (arm.pmcr_r, "cnt_en"),
    "kPmcrResetEvents": (arm.pmcr_r, "event_cnt_rst"),
    "kPmcrResetCycles": (arm.pmcr_r, "cycle_cnt_rst"),
    "kPmCntEnCycles": (arm.pmcntenset_r, "cycle_cnt"),
}
SHIFTS_OF_DRIVER = {
    "kAttributesMemoryTypeShift": (arm.axi_limit0_r, "memtype"),
}
# Constants of the driver alone, or of products that Arm's file does not describe. Source of the
# latter: the public manuals of Ethos-U65 and U85.
OTHERS = {
    **{"kRegionCount": 8, "kPmEventCounters": 4, "kConfigCustomDma": (27, 1)},
    **{"kStatusAnyFault": 1 << 2 | 1 << 4 | 1 << 8, "kStatusBranchFault": 1 << 9},
}


def _field(union: type, name: str) -> tuple[int, int]:
    """Return shift and width of a field in Arm's description."""
    shift = 0
    for field, _, width in union._bitfield._fields_:  # type: ignore[attr-defined]
        if field == name:
            return shift, width
        shift += width
    raise KeyError(name)


def _spelled(name: str) -> str:
    return OF_DRIVER.get(name) or name.removeprefix("k").upper()


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, ...]]:
    """Return every constant of the driver's header as a compiler computes it.

    A constant is its value, or shift and width.
    """
    text = HEADER.read_text(encoding="utf-8")
    numbers = re.findall(r"^inline constexpr std::uint32_t (k\w+) =", text, re.MULTILINE)
    fields = re.findall(r"^inline constexpr Field (k\w+)\{", text, re.MULTILINE)
    series = {name: 8 if "Base" in name else 4 for name in re.findall(r"^constexpr std::uint32_t (\w+)\(", text, re.M)}
    assert len(numbers) + len(fields) + len(series) == len(re.findall(r"^(?:inline )?constexpr", text, re.MULTILINE))
    lines = [f'std::printf("{name} %u\\n", reg::{name});' for name in numbers]
    lines += [f'std::printf("{name} %u %u\\n", reg::{name}.shift, reg::{name}.width);' for name in fields]
    lines += [
        f'std::printf("{name}{i} %u\\n", reg::{name}({i}));' for name, count in series.items() for i in range(count)
    ]
    lines += [f'std::printf("Get %u\\n", reg::{fields[0]}.Get(0x{0xA5C3_1234:x}u));']
    folder = tmp_path_factory.mktemp("registers")
    body = "\n  ".join(lines)
    source = f'#include <cstdio>\n#include "{HEADER}"\nusing namespace pilotlight::ethos_u;\n'
    (folder / "print.cpp").write_text(f"{source}int main() {{\n  {body}\n}}\n", encoding="utf-8")
    subprocess.run(["g++", "-std=c++17", "print.cpp", "-o", "print"], cwd=folder, check=True)
    said = subprocess.run([folder / "print"], check=True, capture_output=True, text=True).stdout
    return {name: tuple(map(int, values)) for name, *values in map(str.split, said.splitlines())}


def test_each_constant_of_the_driver_is_arms(driver: dict[str, tuple[int, ...]]) -> None:
    expected: dict[str, tuple[int, ...]] = {"Get": (0xA,)}
    for name in driver:
        if name in FIELDS_OF_DRIVER:
            expected[name] = _field(*FIELDS_OF_DRIVER[name])
        elif name in BITS_OF_DRIVER:
            shift, width = _field(*BITS_OF_DRIVER[name])
            assert width == 1
            expected[name] = (1 << shift,)
        elif name in SHIFTS_OF_DRIVER:
            expected[name] = _field(*SHIFTS_OF_DRIVER[name])[:1]
        elif name in OTHERS:
            value = OTHERS[name]
            expected[name] = value if isinstance(value, tuple) else (value,)
        elif name.startswith("kEvent"):
            event = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.removeprefix("kEvent")).upper()
            event = re.sub(r"(AXI\d)_READ_BEAT", r"\1_RD_DATA_BEAT_RECEIVED", event)
            expected[name] = (arm.pmu_event_type[event].value,)
        elif series := re.fullmatch(r"(BasePLow|BasePHigh|PmEvCntr|PmEvTyper)(\d)", name):
            kind, number = series.group(1), int(series.group(2))
            spelled = {
                "BasePLow": f"BASEP{2 * number}",
                "BasePHigh": f"BASEP{2 * number + 1}",
            }
            expected[name] = (OFFSETS[spelled.get(kind, f"{kind.upper()}{number}")],)
        elif name != "Get":
            expected[name] = (OFFSETS[_spelled(name)],)
    assert driver == expected


def test_the_limits_that_the_driver_sets_are_in_arms_fields() -> None:
    reads, writes = (_field(arm.axi_limit0_r, f"max_outstanding_{kind}_m1")[0] for kind in ("read", "write"))
    for product, most in ((U55, (32, 16)), (U65, (64, 32))):
        (setup,) = product.setup
        assert (setup.offset, setup.count) == (OFFSETS["AXI_LIMIT0"], 4)
        assert setup.value == most[0] - 1 << reads | most[1] - 1 << writes


def test_each_register_of_the_simulator_is_where_arm_has_it() -> None:
    other = {"QBASE": "QBASE0", "QBASE_HI": "QBASE1", "PMCCNTR": "PMCCNTR_LO"}
    # Arm has the debug views in blocks of their own.
    blocks: dict[str, type[Enum]] = {"CURRENT_QREAD": arm.TSU_DEBUG}
    for register in Reg:
        if register.name == "SHRAM":
            assert register == arm.SHARED_BUFFER.SHARED_BUFFER0.value
        elif register.name in blocks:
            assert register == blocks[register.name][register.name].value
        elif register.name == "SHADOW":
            assert register == min(item.value for item in arm.TSU)
        else:
            assert register == OFFSETS[other.get(register.name, register.name)], register.name


def test_each_register_that_mirrors_a_setting_is_where_arm_has_it() -> None:
    """In 64-bit registers, Arm's high word has a second name or none.

    The simulator's high word has the command's name.
    """
    shadows = _shadow_offsets(U65)
    theirs = {item.value: item.name for item in arm.TSU if item.name != "SIZE"}
    seen = set()
    for offset, (command, is_payload) in shadows.items():
        name = command.removeprefix("SET_")
        second = not is_payload and name in seen
        assert theirs.get(offset) in ((f"{name}_HI", f"{name}_SHIFT", None) if second else (name,)), hex(offset)
        seen.add(name)
    assert theirs.keys() <= shadows.keys()


def test_each_bit_and_event_of_the_simulator_is_arms() -> None:
    for bits, union, names in (
        (Status, arm.status_r, {"RUNNING": "state"}),
        (Cmd, arm.cmd_r, {"RUN": "transition_to_running_state"}),
        (Pmcr, arm.pmcr_r, {}),
    ):
        for bit in bits:
            assert bit.name is not None
            if bit is Status.BRANCH_FAULT:  # Arm's file describes U55 and U65.
                continue
            assert bit == 1 << _field(union, names.get(bit.name, bit.name.lower()))[0], bit
    # Bit 9 is U85's branch_fault.
    assert FAULTS == 1 << 2 | 1 << 4 | 1 << 7 | 1 << 8 | 1 << 9
    assert _field(arm.status_r, "faulting_channel")[0] == FAULTING_CHANNEL_BIT
    assert _field(arm.status_r, "irq_history_mask")[0] == IRQ_HISTORY_BIT
    for event in Event:
        assert event == arm.pmu_event_type[event.name].value, event
