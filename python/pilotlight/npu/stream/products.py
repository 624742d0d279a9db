# SPDX-License-Identifier: Apache-2.0
"""The NPU products as data: their command sets, and facts that differ between them.

The decoder, the disassembler, the simulator and the firmware's driver use these tables. A row has
a name, an opcode and fields in the notation of `isa.py`. tests/npu/test_isa.py compares the tables
with those in Vela's wheel. `u85.py` has the rows of U85.

To add a product, add a `Product` here. `Product.derived` copies commands and facts of another
product. `PRODUCTS` has all of them, in the order of the field CONFIG.product.
"""

from __future__ import annotations

from pilotlight.npu.stream import u85
from pilotlight.npu.stream.isa import Generation, Product, RegisterSetup, Row

_U55_WORDS: tuple[Row, ...] = (
    ("OP_STOP", 0x000, "mask 0:15"),
    ("OP_IRQ", 0x001, "mask 0:15"),
    ("OP_CONV", 0x002, ""),
    ("OP_DEPTHWISE", 0x003, ""),
    ("OP_POOL", 0x005, "pooling_mode 0:2=0..2"),
    ("OP_ELEMENTWISE", 0x006, "elementwise_mode 0:5=0..9"),
    ("OP_DMA_START", 0x010, ""),
    ("OP_DMA_WAIT", 0x011, "outstanding 0:0"),
    ("OP_KERNEL_WAIT", 0x012, "outstanding 0:1"),
    ("OP_PMU_MASK", 0x013, "enable 0:0"),
    ("SET_IFM_PAD_TOP", 0x100, "pad 0:6"),
    ("SET_IFM_PAD_LEFT", 0x101, "pad 0:6"),
    ("SET_IFM_PAD_RIGHT", 0x102, "pad 0:7"),
    ("SET_IFM_PAD_BOTTOM", 0x103, "pad 0:7"),
    ("SET_IFM_DEPTH_M1", 0x104, "depth_m1 0:15"),
    (
        "SET_IFM_PRECISION",
        0x105,
        "type 0:0, precision 2:3=0..2, format 6:7=0..1, scale_mode 8:9=0..2, round_mode 14:15=0..2",
    ),
    ("SET_IFM_UPSCALE", 0x107, "mode 0:1=0..2"),
    ("SET_IFM_ZERO_POINT", 0x109, "zero_point 0:15"),
    ("SET_IFM_WIDTH0_M1", 0x10A, "width_m1 0:15"),
    ("SET_IFM_HEIGHT0_M1", 0x10B, "height_m1 0:15"),
    ("SET_IFM_HEIGHT1_M1", 0x10C, "height_m1 0:15"),
    ("SET_IFM_IB_END", 0x10D, "ib_end 0:5"),
    ("SET_IFM_REGION", 0x10F, "region 0:2"),
    ("SET_OFM_WIDTH_M1", 0x111, "width_m1 0:15"),
    ("SET_OFM_HEIGHT_M1", 0x112, "height_m1 0:15"),
    ("SET_OFM_DEPTH_M1", 0x113, "depth_m1 0:15"),
    (
        "SET_OFM_PRECISION",
        0x114,
        "type 0:0, precision 1:2=0..2, format 6:7=0..1, scale_mode 8:8, round_mode 14:15=0..2",
    ),
    ("SET_OFM_BLK_WIDTH_M1", 0x115, "width_m1 0:5"),
    ("SET_OFM_BLK_HEIGHT_M1", 0x116, "height_m1 0:4"),
    ("SET_OFM_BLK_DEPTH_M1", 0x117, "depth_m1 0:6"),
    ("SET_OFM_ZERO_POINT", 0x118, "zero_point 0:15"),
    ("SET_OFM_WIDTH0_M1", 0x11A, "width_m1 0:15"),
    ("SET_OFM_HEIGHT0_M1", 0x11B, "height_m1 0:15"),
    ("SET_OFM_HEIGHT1_M1", 0x11C, "height_m1 0:15"),
    ("SET_OFM_REGION", 0x11F, "region 0:2"),
    ("SET_KERNEL_WIDTH_M1", 0x120, "width_m1 0:15"),
    ("SET_KERNEL_HEIGHT_M1", 0x121, "height_m1 0:15"),
    (
        "SET_KERNEL_STRIDE",
        0x122,
        "stride_x_lsb 0:0, stride_y_lsb 1:1, weight_order 2:2, dilation_x 3:3, dilation_y 4:4, "
        "decomposition 5:5=0..0, stride_x_msb 6:6, stride_y_msb 9:9",
    ),
    ("SET_ACC_FORMAT", 0x124, "acc_format 0:1=0..2"),
    ("SET_ACTIVATION", 0x125, "function 0:4, clip_range 12:14"),
    ("SET_ACTIVATION_MIN", 0x126, "clip_boundary 0:15"),
    ("SET_ACTIVATION_MAX", 0x127, "clip_boundary 0:15"),
    ("SET_WEIGHT_REGION", 0x128, "region 0:2"),
    ("SET_SCALE_REGION", 0x129, "region 0:2"),
    ("SET_AB_START", 0x12D, "ab_start 0:5"),
    ("SET_BLOCKDEP", 0x12F, "blockdep 0:1"),
    ("SET_DMA0_SRC_REGION", 0x130, "region 0:2, region_mode 8:8, stride_mode 9:10=0..2"),
    ("SET_DMA0_DST_REGION", 0x131, "region 0:2, region_mode 8:8, stride_mode 9:10=0..2"),
    (
        "SET_IFM2_BROADCAST",
        0x180,
        "broadcast_h 0:0, broadcast_w 1:1, broadcast_c 2:2, operand_order 6:6, broadcast_constant 7:7",
    ),
    ("SET_IFM2_SCALAR", 0x181, "scalar 0:15"),
    ("SET_IFM2_PRECISION", 0x185, "type 0:0, precision 2:3=0..2, format 6:7=0..1"),
    ("SET_IFM2_ZERO_POINT", 0x189, "zero_point 0:15"),
    ("SET_IFM2_WIDTH0_M1", 0x18A, "width_m1 0:15"),
    ("SET_IFM2_HEIGHT0_M1", 0x18B, "height_m1 0:15"),
    ("SET_IFM2_HEIGHT1_M1", 0x18C, "height_m1 0:15"),
    ("SET_IFM2_IB_START", 0x18D, "ib_start 0:5"),
    ("SET_IFM2_REGION", 0x18F, "region 0:2"),
)

_U55_PAYLOADS: tuple[Row, ...] = (
    ("SET_IFM_BASE0", 0x000, "address"),
    ("SET_IFM_BASE1", 0x001, "address"),
    ("SET_IFM_BASE2", 0x002, "address"),
    ("SET_IFM_BASE3", 0x003, "address"),
    ("SET_IFM_STRIDE_X", 0x004, "distance"),
    ("SET_IFM_STRIDE_Y", 0x005, "distance"),
    ("SET_IFM_STRIDE_C", 0x006, "distance"),
    ("SET_OFM_BASE0", 0x010, "address"),
    ("SET_OFM_BASE1", 0x011, "address"),
    ("SET_OFM_BASE2", 0x012, "address"),
    ("SET_OFM_BASE3", 0x013, "address"),
    ("SET_OFM_STRIDE_X", 0x014, "distance"),
    ("SET_OFM_STRIDE_Y", 0x015, "distance"),
    ("SET_OFM_STRIDE_C", 0x016, "distance"),
    ("SET_WEIGHT_BASE", 0x020, "address"),
    ("SET_WEIGHT_LENGTH", 0x021, "length 16:47"),
    ("SET_SCALE_BASE", 0x022, "address"),
    ("SET_SCALE_LENGTH", 0x023, "length 16:35"),
    ("SET_OFM_SCALE", 0x024, "shift 0:5, scale 16:47"),
    ("SET_OPA_SCALE", 0x025, "shift 0:5, scale 16:47"),
    ("SET_OPB_SCALE", 0x026, "scale 16:31"),
    ("SET_DMA0_SRC", 0x030, "address"),
    ("SET_DMA0_DST", 0x031, "address"),
    ("SET_DMA0_LEN", 0x032, "address"),
    ("SET_IFM2_BASE0", 0x080, "address"),
    ("SET_IFM2_BASE1", 0x081, "address"),
    ("SET_IFM2_BASE2", 0x082, "address"),
    ("SET_IFM2_BASE3", 0x083, "address"),
    ("SET_IFM2_STRIDE_X", 0x084, "distance"),
    ("SET_IFM2_STRIDE_Y", 0x085, "distance"),
    ("SET_IFM2_STRIDE_C", 0x086, "distance"),
)

_U65_WORDS: tuple[Row, ...] = (
    ("SET_PARALLEL_MODE", 0x123, "parallel_mode 0:0"),
    ("SET_DMA0_SIZE0", 0x132, "size 0:15"),
    ("SET_DMA0_SIZE1", 0x133, "size 0:15"),
)

_U65_PAYLOADS: tuple[Row, ...] = (
    ("SET_DMA0_SKIP0", 0x033, "distance"),
    ("SET_DMA0_SKIP1", 0x034, "distance"),
    ("SET_WEIGHT1_BASE", 0x090, "address"),
    ("SET_WEIGHT1_LENGTH", 0x091, "length 16:47"),
    ("SET_SCALE1_BASE", 0x092, "address"),
    ("SET_SCALE1_LENGTH", 0x093, "length 16:35"),
)

# Offsets of registers, and bits of STATUS.
_ATTRIBUTES, _POWER_CTRL, _AXI_SRAM, _AXI_EXT = 0x040, 0x038, 0x050, 0x054
_WEIGHT_FAULT, _BRANCH_FAULT = 1 << 7, 1 << 9
# The fields of CONFIG: product, command stream version, MACs; and the numbers of U85's ports.
_CONFIG_MATCH, _CONFIG_PORTS = 0xF000_00FF, 0x0000_0700


def _axi_limits(reads: int, writes: int) -> RegisterSetup:
    """Return the four AXI_LIMIT registers for the most outstanding transactions."""
    return RegisterSetup(_ATTRIBUTES, 4, reads - 1 << 16 | writes - 1 << 24)


def _port_limits(offset: int, reads: int, writes: int) -> RegisterSetup:
    """Return AXI_SRAM or AXI_EXT for the most outstanding transactions, in bursts of 256 bytes."""
    bursts_of_256_bytes = 2
    return RegisterSetup(offset, 1, reads - 1 | writes - 1 << 8 | bursts_of_256_bytes << 16)


# Attribute sets 0 and 1 select the SRAM port, 2 and 3 the EXT port. The MAC array starts at once.
_U85_SETUP = (
    RegisterSetup(_ATTRIBUTES, 2, 0),
    RegisterSetup(_ATTRIBUTES + 8, 2, 1 << 2),
    _port_limits(_AXI_SRAM, 12, 16),
    _port_limits(_AXI_EXT, 64, 32),
    RegisterSetup(_POWER_CTRL, 1, 0),
)

U55 = Product.of(
    "U55",
    _U55_WORDS,
    _U55_PAYLOADS,
    peripheral_id=0x80,
    default_system="Ethos_U55_High_End_Embedded",
    address_bits=32,
    own_fault=_WEIGHT_FAULT,
    setup=(_axi_limits(32, 16),),
    config_match=_CONFIG_MATCH,
)
U65 = U55.derived(
    "U65",
    _U65_WORDS,
    _U65_PAYLOADS,
    dma_queue=2,
    peripheral_id=0x81,
    has_fast_scratch=True,
    default_system="Ethos_U65_High_End",
    address_bits=40,
    setup=(_axi_limits(64, 32),),
)
U85 = U55.derived(
    "U85",
    u85.WORDS,
    u85.PAYLOADS,
    without=u85.WITHOUT,
    generation=Generation.SECOND,
    dma_queue=4,
    peripheral_id=0x82,
    has_fast_scratch=True,
    default_system="Ethos_U85_SYS_DRAM_Mid",
    address_bits=40,
    pmu_window=0x1000,
    event_counters=8,
    own_fault=_BRANCH_FAULT,
    setup=_U85_SETUP,
    config_match=_CONFIG_MATCH | _CONFIG_PORTS,
)
PRODUCTS = (U55, U65, U85)
