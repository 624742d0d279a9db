# SPDX-License-Identifier: Apache-2.0
"""A functional model of Arm's Ethos-U55 and U65, at the level of registers. Design: DESIGN.md in this folder."""

from pilotlight.npu.device import Device
from pilotlight.npu.faults import BusFault
from pilotlight.npu.layers import Layer
from pilotlight.npu.memory import MappedMemory, Memory
from pilotlight.npu.simulation import SimulationResult, Simulator, Statistics, simulate

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
