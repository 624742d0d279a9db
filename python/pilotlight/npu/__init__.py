# SPDX-License-Identifier: Apache-2.0
"""A functional model of Arm's Ethos-U55 and U65, at the level of registers. See DESIGN.md."""

from pilotlight.npu.hardware.device import Device
from pilotlight.npu.layers import Layer
from pilotlight.npu.simulation import SimulationResult, Simulator, Statistics, simulate
from pilotlight.npu.stream.faults import BusFault
from pilotlight.npu.stream.memory import MappedMemory, Memory

__all__ = [
    "BusFault",
    "Device",
    "Layer",
    "MappedMemory",
    "Memory",
    "SimulationResult",
    "Simulator",
    "Statistics",
    "simulate",
]
