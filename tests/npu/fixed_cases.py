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

# These cases of Ethos-U85 have every operation, storage, order and table that Vela 5.1 was seen to
# use, and each size of the NPU. A test in test_operators.py has the list.
FIXED_U85 = (
    *("u85:conv2d-19", "u85:conv2d_pointwise-32", "u85:conv2d_large_kernel-5", "u85:conv2d_int16-25"),
    *("u85:conv2d_int16-48", "u85:fully_connected-62", "u85:depthwise_conv2d-28", "u85:transpose_conv2d-16"),
    *("u85:matmul-48", "u85:matmul_of_slice-46", "u85:avg_pool2d-21", "u85:avg_pool2d-22", "u85:avg_pool2d-40"),
    *("u85:max_pool2d-55", "u85:reduce_sum-3", "u85:reduce_max_min-5", "u85:add_sub-16"),
    *("u85:maximum_minimum-11", "u85:absolute_int8-34", "u85:clz-11", "u85:shifts-3", "u85:table_int8-34"),
    *("u85:table_int16-16", "u85:rescale-1", "u85:concat-8", "u85:pad-16", "u85:slice-37", "u85:reshape-39"),
    *("u85:resize_nearest-54", "u85:resize_bilinear-60", "u85:inverted_bottleneck-9"),
    *("u85:inverted_bottleneck-45", "u85:cascade-9", "u85:softmax-6", "u85:branches-13", "u85:bitwise-21"),
    *("u85:logical-20", "u85:comparison-9", "u85:comparison-54", "u85:select-28", "u85:where-43"),
    *("u85:where-47", "u85:intdiv-50", "u85:shifts_narrow-44", "u85:shifts_narrow-48"),
    *("u85:broadcast_add_sub-52", "u85:broadcast_mul-38", "u85:broadcast_int32-1", "u85:leaky_relu-42"),
    *("u85:elementwise_chain-41", "u85:elementwise_chain-52", "u85:negate_scaled-61", "u85:cast-40"),
    *("u85:rescale_wide-14", "u85:rescale_unsigned-33", "u85:table_chain-11", "u85:gather-12", "u85:gather-24"),
    *("u85:transpose_any-28", "u85:transposed_convolution_output-31", "u85:transposed_convolution_output-36"),
    *("u85:reverse_any-20", "u85:reverse_any-22", "u85:reverse_any-59", "u85:tile_any-60", "u85:resize_odd-50"),
    *("u85:resize_odd-51", "u85:resize_odd-57", "u85:resize_odd-61", "u85:transpose_conv2d_int16-21"),
    *("u85:depthwise_int16-2", "u85:large_window-43", "u85:conv2d_sparse-57", "u85:matmul_int16-27"),
    *("u85:reduce_sum_int16-29", "u85:reduce_bool-16", "u85:argmax_any-12", "u85:fused_sum-32"),
    *("u85:residual_int16-53", "u85:softmax_whole-57", "u85:layer_norm-3", "u85:attention-1"),
    *("u85:mixed_cascade-11", "u85:mixed_cascade-56", "u85:conv2d_sparse-32", "u85:table_chain-4"),
    *("u85:conv2d_few_weights-68", "u85:conv2d_few_weights-50", "u85:conv2d_few_weights-75", "u85:shifts_narrow-3"),
)

# Vela 5.1 compiles these to another computation (campaign.EXPLAINED says why): a slice of rows, and
# a slice of columns.
MIS_COMPILED = ("matmul_of_slice-3", "matmul_of_slice-7")

# The same, and one scale for all channels of a product (U85), and a product that reads a transposed
# result with one head.
MIS_COMPILED_U85 = ("u85:matmul_of_slice-7", "u85:matmul-1", "u85:matmul_int16-2", "u85:attention-3")

# Simulators that are strict refuse these: see stream/known_deviations.py.
REFUSED_U85 = ("u85:scatter-0", "u85:scatter-3", "u85:scatter-5")
