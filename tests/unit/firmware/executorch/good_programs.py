# SPDX-License-Identifier: Apache-2.0
"""Hand-written programs that load and run."""

from __future__ import annotations

from programs import (
    Json,
    Programs,
    delegate,
    ethos_u,
    free,
    jump_false,
    kernel,
    move,
    plan,
    program,
    segment_table,
    tensor,
    value,
)


def one_kernel() -> Json:
    """in -> trace -> out, both planned. The bad programs are made from this program."""
    values = [tensor([2, 3], at=0), value("Int", int_val=-7), tensor([2, 3], at=64)]
    return program(plan(values, [0], [2], [kernel(0, 0, 1, 2)]))


def constants() -> tuple[Json, list[bytes]]:
    """Constants, the initial state of a mutable buffer, a delegate's data and named data, all in
    segments.
    """
    values = [
        tensor([4], at=0),
        tensor([4], data_buffer_idx=1),
        tensor([2], data_buffer_idx=2),
        tensor([4], at=64),
        tensor([4], at=128, data_buffer_idx=1, extra_tensor_info={"fully_qualified_name": "state.buffer"}),
        tensor([3], at=192, extra_tensor_info={"fully_qualified_name": "scratch.buffer"}),
    ]
    segments = [bytes(range(1, 41)), bytes(range(100, 116)), b"blob of a delegate", b"named bytes"]
    method = plan(
        values,
        [0],
        [3, 4],
        [kernel(0, 0, 1, 2, 3), kernel(0, 4, 5, 3), delegate(0, 3, 0)],
        delegates=[ethos_u(2, "SEGMENT")],
    )
    content = program(
        method,
        segments=segment_table([len(segment) for segment in segments]),
        constant_segment={"segment_index": 0, "offsets": [0, 0, 16]},
        mutable_data_segments=[{"segment_index": 1, "offsets": [0, 0]}],
        named_data=[{"key": "weights", "segment_index": 3}, {"key": "weights again", "segment_index": 3}],
    )
    return content, segments


# Values of lent_memory(): the input, a view, the output, and others.
LENT_IN, LENT_VIEW, LENT_OUT, LENT_VIEW_OF_OUT, FLAG, PLANNED, BIG, SMALL, CONSTANT, SIZE_ANY, SIZE_SEVEN = range(11)


def lent_memory(*instructions: Json) -> tuple[Json, list[bytes]]:
    """A program with tensors of up to 4 rows in the caller's memory.

    Operators: fill, flip, a view.
    """
    dynamic = "DYNAMIC_BOUND"
    values = [
        tensor([4, 3], shape_dynamism=dynamic),
        tensor([12], shape_dynamism=dynamic),
        tensor([4, 3], shape_dynamism=dynamic),
        tensor([12], shape_dynamism=dynamic),
        tensor([1], scalar_type="BOOL", at=0),
        tensor([12], at=16, shape_dynamism=dynamic),
        tensor([12], at=64, shape_dynamism=dynamic),
        tensor([2], at=1016),
        tensor([12], data_buffer_idx=1),
        value("IntList", items=[11]),
        value("IntList", items=[12]),
        value("Int", int_val=-1),
        value("Int", int_val=7),
    ]
    operators = [("probe::fill", "out"), ("probe::flip", ""), ("executorch_prim::et_view", "default")]
    method = plan(
        values,
        [LENT_IN],
        [LENT_OUT, LENT_VIEW],
        list(instructions),
        operators=[{"name": name, "overload": overload} for name, overload in operators],
    )
    content = program(method, segments=segment_table([48]), constant_segment={"segment_index": 0, "offsets": [0, 0]})
    return content, [bytes(48)]


def _values() -> Programs:
    """Return programs with every kind of value."""
    every_kind = [
        tensor([2, 3], at=0),
        value("Null"),
        value("Int", int_val=-(2**40)),
        value("Bool", bool_val=True),
        value("Double", double_val=0.1),
        value("String", string_val="grüße"),
        value("Int", int_val=3),
        value("IntList", items=[2, 6, 6]),
        value("DoubleList", items=[1.5, -2.25]),
        value("BoolList", items=[True, False, True]),
        tensor([2, 3], at=64),
        value("TensorList", items=[0, 10]),
        value("OptionalTensorList", items=[-1, 0, 10]),
        value("IntList", items=[]),
        tensor([], scalar_type="INT", at=128),
        tensor([0, 5], at=132),
        tensor([1, 4, 2, 2], scalar_type="CHAR", at=160, dim_order=[0, 2, 3, 1]),
        value("TensorList", items=[]),
    ]
    return {
        "one_kernel": (one_kernel(), []),
        "every_kind_of_value": (
            program(plan(every_kind, [0], [10, 2, 4, 5], [kernel(0, *range(len(every_kind)), 10)])),
            [],
        ),
        "scalar_inputs": (
            program(plan(every_kind, [0, 2, 3, 4, 5, 1], [10], [kernel(0, 0, 2, 10)])),
            [],
        ),
    }


def _shapes() -> Programs:
    """Return programs whose shapes or memory the caller decides."""
    return {
        "dynamic_shape": (
            program(
                plan(
                    [
                        tensor([4, 3], at=0, shape_dynamism="DYNAMIC_BOUND"),
                        tensor([4, 3], at=64, shape_dynamism="DYNAMIC_BOUND"),
                    ],
                    [0],
                    [1],
                    [kernel(0, 0, 1)],
                )
            ),
            [],
        ),
        "memory_of_the_caller": (
            program(plan([tensor([2, 3]), tensor([2, 3])], [0], [1], [kernel(0, 0, 1)])),
            [],
        ),
    }


def _methods() -> Programs:
    """Return programs with several methods or chains."""
    return {
        "several_methods": (
            program(
                plan([tensor([2], at=0), tensor([2], at=64)], [0], [1], [kernel(0, 0, 1)], name="encode"),
                plan([tensor([3], at=0), tensor([3], at=64)], [0], [1], [kernel(0, 0, 1)], name="decode"),
                plan([value("Int", int_val=42)], [], [0], [], name="answer"),
            ),
            [],
        ),
        "several_chains": (
            program(
                plan(
                    [tensor([2], at=0), tensor([2], at=64)],
                    [0],
                    [1],
                    [kernel(0, 0, 1)],
                    [],
                    [kernel(0, 1, 1), kernel(0, 0, 1)],
                )
            ),
            [],
        ),
    }


def _jumps() -> Programs:
    """Return programs with instructions that are no calls."""
    return {
        "loop": (
            # Counts 3 down to 0. Each round traces a value and then moves one.
            program(
                plan(
                    [
                        tensor([2], at=0),
                        tensor([2], at=64),
                        value("Int", int_val=3),
                        value("Bool", bool_val=False),
                        value("Int", int_val=9),
                        value("Bool", bool_val=False),
                    ],
                    [0],
                    [1, 2, 4],
                    [
                        kernel(0, 0, 2, 1),
                        kernel(2, 2, 3),
                        move(2, 4),
                        jump_false(3, 5),
                        jump_false(5, 0),
                        kernel(0, 0, 4, 1),
                    ],
                )
            ),
            [],
        ),
        "jump_on_tensor": (
            program(
                plan(
                    [tensor([2], scalar_type="BOOL", at=0), tensor([2], at=64)],
                    [0],
                    [1],
                    [jump_false(0, 2), kernel(0, 0, 1), kernel(0, 0, 1)],
                )
            ),
            [],
        ),
        "free": (
            program(plan([tensor([2], at=0), tensor([2]), tensor([2], at=64)], [0], [2], [free(1), kernel(0, 0, 2)])),
            [],
        ),
    }


def _stores() -> Programs:
    """Return programs with delegates, constants and several planned buffers."""
    return {
        "delegates": (
            program(
                plan(
                    [tensor([2], at=0), tensor([2], at=64)],
                    [0],
                    [1],
                    [delegate(0, 0, 1), delegate(1, 1, 1)],
                    delegates=[ethos_u(1), ethos_u(0, compile_specs=[])],
                ),
                backend_delegate_data=[{"data": list(b"first")}, {"data": list(b"second")}],
            ),
            [],
        ),
        "constants": constants(),
        "two_planned_buffers": (
            program(
                plan(
                    [
                        tensor([2], at=0),
                        tensor([2], allocation_info={"memory_id": 2, "memory_offset_low": 8, "memory_offset_high": 0}),
                    ],
                    [0],
                    [1],
                    [kernel(0, 0, 1)],
                    non_const_buffer_sizes=[0, 16, 16],
                )
            ),
            [],
        ),
    }


def good() -> Programs:
    """Return the programs that load and run."""
    return _values() | _shapes() | _methods() | _jumps() | _stores()
