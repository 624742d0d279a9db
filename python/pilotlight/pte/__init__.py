# SPDX-License-Identifier: Apache-2.0
"""Reads ExecuTorch programs (.pte) without ExecuTorch or torch. See DESIGN.md."""

from pilotlight.pte.program import (
    Delegate,
    DelegateCall,
    FreeCall,
    Instruction,
    JumpFalseCall,
    KernelCall,
    Method,
    MoveCall,
    OperatorUse,
    Program,
    Tensor,
    TensorList,
    Value,
)
from pilotlight.pte.reader import read_program

__all__ = [
    "Delegate",
    "DelegateCall",
    "FreeCall",
    "Instruction",
    "JumpFalseCall",
    "KernelCall",
    "Method",
    "MoveCall",
    "OperatorUse",
    "Program",
    "Tensor",
    "TensorList",
    "Value",
    "read_program",
]
