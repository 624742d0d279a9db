# SPDX-License-Identifier: Apache-2.0
"""The cases of the campaign that every test run includes.

A name stays valid as long as its family draws the same. rescale-1 and -11 have one scale per
channel. cascade-12 has a stripe that sees only padding. conv2d_int16-35 (wide dilated kernel, many
channels), rescale-20 (ties) and shifts-8 (rounded) each notice a mutation that no other case
notices. The other cases were chosen so that every family and every NPU takes part.
"""

FIXED = (
    *("conv2d-4", "conv2d-7", "conv2d-8", "conv2d-12", "conv2d_pointwise-3", "conv2d_large_kernel-6"),
    *("conv2d_int16-35", "conv2d_int16-8", "fully_connected-1", "fully_connected-3"),
    *("depthwise_conv2d-1", "depthwise_conv2d-2", "depthwise_conv2d-4", "depthwise_conv2d-5"),
    *("transpose_conv2d-5", "transpose_conv2d-8", "transpose_conv2d-10", "matmul-0", "matmul-3"),
    "matmul_of_slice-1",
    *("avg_pool2d-0", "avg_pool2d-2", "max_pool2d-0", "max_pool2d-2"),
    *("reduce_sum-10", "reduce_max_min-10", "argmax-9"),
    *("add_sub-2", "add_sub-9", "add_sub-10", "add_sub_int32-0", "mul-3", "mul_int32-2", "maximum_minimum-5"),
    *("absolute-11", "absolute_int8-6", "negate-11", "clamp-12", "clz-11", "shifts-8"),
    *("table_int8-3", "table_int16-0", "table_int16-4", "rescale-1", "rescale-20", "rescale-11"),
    *("concat-4", "pad-0", "slice-10", "tile-0", "reverse-5", "transpose-9", "reshape-7", "resize_nearest-1"),
    *("residual-2", "inverted_bottleneck-3", "cascade-1", "cascade-12", "softmax-5", "branches-0", "up_and_skip-0"),
)

# Vela 5.1 compiles these to another computation (campaign.EXPLAINED says why): a slice of rows, and
# a slice of columns.
MIS_COMPILED = ("matmul_of_slice-3", "matmul_of_slice-7")
