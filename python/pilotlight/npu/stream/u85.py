# SPDX-License-Identifier: Apache-2.0
"""The commands of Ethos-U85 that U55 does not have, or has with other fields.

The notation is that of `isa.py`. tests/npu/test_u85_commands.py compares the table with Vela's
disassembly.
"""

from __future__ import annotations

from pilotlight.npu.stream.faults import MalformedStream
from pilotlight.npu.stream.isa import Row

# U85 has no registers for the layout of its internal memory. A scalar can be either operand, and
# each operand has a scale with a rounding mode.
WITHOUT = ("SET_IFM_IB_END", "SET_AB_START", "SET_IFM2_SCALAR", "SET_IFM2_IB_START", "SET_OPA_SCALE", "SET_OPB_SCALE")

WORDS: tuple[Row, ...] = (
    ("OP_CONV", 0x002, "weights_ifm2 0:0"),
    ("OP_POOL", 0x005, "pooling_mode 0:2"),
    ("OP_ELEMENTWISE", 0x006, "elementwise_mode 0:5=0..11/16..19/33..36/42..42"),
    ("OP_RESIZE", 0x007, "resize_mode 0:1=0..2"),
    ("OP_DMA_WAIT", 0x011, "outstanding 0:1"),
    ("OP_KERNEL_WAIT", 0x012, "outstanding 0:0"),
    ("SET_IFM_PRECISION", 0x105, "type 0:0, precision 2:3, format 6:7=0..1, storage 14:15"),
    ("SET_IFM_BROADCAST", 0x108, "broadcast_mode 0:3=0..8"),
    (
        "SET_OFM_PRECISION",
        0x114,
        "type 0:0, precision 1:2, format 6:7=0..1, scale_mode 8:8, reverse 9:10, transpose 11:13=0..3/6..7, "
        "storage 14:15",
    ),
    ("SET_OFM_BLK_WIDTH_M1", 0x115, "width_m1 0:6"),
    ("SET_OFM_BLK_HEIGHT_M1", 0x116, "height_m1 0:6"),
    ("SET_OFM_BLK_DEPTH_M1", 0x117, "depth_m1 0:9"),
    ("SET_ACC_FORMAT", 0x124, "acc_format 0:1=0..1, acc_input 4:5=0..2, acc_output 6:6, microblock 8:10=0..5"),
    ("SET_ACTIVATION", 0x125, "function 0:4=0..1/4..5/7..11, table 5:7, clip_range 12:12"),
    ("SET_RESIZE_X_SCALE_N_M1", 0x12A, "resize_x_scale_n_m1 0:10"),
    ("SET_RESIZE_Y_SCALE_N_M1", 0x12B, "resize_y_scale_n_m1 0:10"),
    ("SET_RESIZE_X_OFFSET", 0x12C, "resize_x_offset 0:11 signed"),
    ("SET_RESIZE_Y_OFFSET", 0x12D, "resize_y_offset 0:11 signed"),
    ("SET_WEIGHT_FORMAT", 0x12E, "weight_format 0:0, weight_sparsity 4:4"),
    ("SET_BLOCKDEP", 0x12F, "blockdep 0:2"),
    ("SET_DMA0_SRC_REGION", 0x130, "region 0:2, region_mode 8:8, stride_mode 9:10=0..2, idx_mode 11:11"),
    ("SET_DMA0_DST_REGION", 0x131, "region 0:2, region_mode 8:8, idx_mode 11:11"),
    ("SET_DMA0_SIZE0", 0x132, "size 0:15"),
    ("SET_DMA0_SIZE1", 0x133, "size 0:15"),
    ("SET_DMA0_IDX_REGION", 0x134, "region 0:2"),
    ("SET_IFM2_BROADCAST", 0x180, "broadcast_mode 0:3=0..8"),
    ("SET_IFM2_PRECISION", 0x185, "type 0:0, precision 2:3, format 6:7=0..1, storage 14:15"),
)

PAYLOADS: tuple[Row, ...] = (
    ("SET_OFM_SCALE", 0x024, "shift 0:5, dbl_rnd 6:10, round_mode 13:15=0..5, scale 16:46"),
    ("SET_IFM_SCALE", 0x025, "shift 0:5, dbl_rnd 6:10, round_mode 13:13, scale 16:46"),
    ("SET_IFM2_SCALE", 0x026, "shift 0:5, dbl_rnd 6:10, round_mode 13:13, scale 16:46"),
    ("SET_OP_SCALAR", 0x027, "scalar 16:47 signed"),
    ("SET_DMA0_SRC_STRIDE0", 0x033, "distance"),
    ("SET_DMA0_SRC_STRIDE1", 0x034, "distance"),
    ("SET_DMA0_DST_STRIDE0", 0x035, "distance"),
    ("SET_DMA0_DST_STRIDE1", 0x036, "distance"),
    ("SET_DMA0_IDX", 0x037, "address"),
    ("SET_DMA0_IDX_MAX", 0x038, "idx_max 16:46"),
    ("SET_DMA0_IDX_SKIP1", 0x039, "distance"),
    ("SET_WEIGHT1_BASE", 0x090, "address"),
    ("SET_WEIGHT1_LENGTH", 0x091, "length 16:47"),
    ("SET_WEIGHT2_BASE", 0x092, "address"),
    ("SET_WEIGHT2_LENGTH", 0x093, "length 16:47"),
    ("SET_WEIGHT3_BASE", 0x094, "address"),
    ("SET_WEIGHT3_LENGTH", 0x095, "length 16:47"),
    ("SET_RESIZE_X_STEP", 0x096, "one_step_int 0:3, blk_step_int 4:14, one_step_mod 16:26, blk_step_mod 32:42"),
    ("SET_RESIZE_Y_STEP", 0x097, "one_step_int 0:3, blk_step_int 4:14, one_step_mod 16:26, blk_step_mod 32:42"),
    ("OP_BRANCH", 0x100, "branch_cond 0:0, branch_target 16:47"),
)

# Rows and columns of a micro-block by ACC_FORMAT.microblock.
_MICROBLOCK_SIZES = ((1, 1), (1, 2), (1, 4), (2, 2), (2, 4), (4, 4))
# The channels of a micro-block, by MACs per cycle and micro-block. Others do not exist.
_MICROBLOCK_DEPTHS: dict[int, dict[int, int]] = {
    128: {0: 16, 1: 8},
    256: {1: 16, 2: 8, 3: 8},
    512: {2: 16, 3: 16},
    1024: {2: 32, 3: 32, 4: 16},
    2048: {2: 64, 3: 64, 5: 16},
}


def microblocks(macs: int) -> dict[int, tuple[int, int, int]]:
    """Return rows, columns and channels of each micro-block of the size with `macs` MACs."""
    return {number: (*_MICROBLOCK_SIZES[number], depth) for number, depth in _MICROBLOCK_DEPTHS[macs].items()}


def ofm_microblock_depth(macs: int, microblock: int) -> int:
    """Return the channels of the micro-block with the number `microblock` in ACC_FORMAT.

    Raises MalformedStream if the size with `macs` MACs does not have it.
    """
    depth = _MICROBLOCK_DEPTHS[macs].get(microblock)
    if depth is None:
        raise MalformedStream(f"an NPU of {macs} MACs has no micro-block {microblock}")
    return depth
