# SPDX-License-Identifier: Apache-2.0
"""Files of the kinds that have broken ExecuTorch runtimes, with the error that ours must give.

    python tests/fuzz/regressions.py FOLDER     writes <name>.pte, and expected.json

The classes follow the public descriptions of these CVEs:

- CVE-2025-30402, -54949: heap overflow while a method or a model is loaded
- CVE-2025-30404, -54952: a size overflows, so the memory is too small
- CVE-2025-30405: an object is placed outside its memory
- CVE-2025-54950: access out of bounds
- CVE-2025-54951: buffer overflow by inconsistent tables

Upstream's later fixes are classes too: overflowing offsets of constants and segments, products on
32 bits, null delegate data, compile specs without a key, lists that exhaust the allocator, and the
counts of the Ethos-U blob.
"""

from __future__ import annotations

import argparse
import copy
import json
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from seeds import assemble, blobs, for_probes

# seeds makes these importable.
from bad_programs import bad  # isort: skip
from damaged_programs import damaged  # isort: skip
from good_programs import constants, good, one_kernel  # isort: skip
from programs import (  # isort: skip
    Json,
    delegate,
    ethos_u,
    jump_false,
    kernel,
    move,
    plan,
    program,
    tensor,
    value,
)

# executorch/runtime/core/error.h
ERRORS = {
    "Ok": 0x00,
    "Internal": 0x01,
    "InvalidState": 0x02,
    "NotSupported": 0x10,
    "InvalidArgument": 0x12,
    "InvalidType": 0x13,
    "OperatorMissing": 0x14,
    "NotFound": 0x20,
    "MemoryAllocationFailed": 0x21,
    "InvalidProgram": 0x23,
    "InvalidExternalData": 0x24,
    "DelegateInvalidCompatibility": 0x30,
}


@dataclass(frozen=True)
class Expectation:
    """The expected error, the stage that must notice, and the class that the file stands for.

    wide, narrow: the error on 64-bit and on 32-bit machines, a key of ERRORS.
    """

    wide: str
    narrow: str
    why: str
    # "program": Program::load(). "method": load_method(), which sizes pools and asks delegates.
    # "execute": execute().
    stage: str = "program"


@dataclass(frozen=True)
class Regression:
    name: str
    content: Json
    segments: Sequence[bytes]
    expectation: Expectation


def _method(content: Json) -> Json:
    method: Json = content["execution_plan"][0]
    return method


class Corpus:
    """Collects cases. Each case starts from a copy of a good program."""

    def __init__(self) -> None:
        self.cases: list[Regression] = []

    def add(
        self,
        name: str,
        why: str,
        error: str | tuple[str, str],
        edit: Callable[[Json], None],
        base: tuple[Json, Sequence[bytes]] | None = None,
        stage: str = "program",
    ) -> None:
        content, segments = base or (one_kernel(), [])
        content = copy.deepcopy(content)
        edit(content)
        wide, narrow = (error, error) if isinstance(error, str) else error
        self.cases.append(Regression(name, for_probes(content), segments, Expectation(wide, narrow, why, stage)))

    def tensor(self, name: str, why: str, error: str | tuple[str, str], **fields: object) -> None:
        self.add(name, why, error, lambda content: _method(content)["values"][0]["val"].update(fields))


def _shapes(corpus: Corpus) -> None:
    # On 32 bits these products wrap. On 64 bits the planned buffer of 1024 bytes is too small.
    wraps = ("MemoryAllocationFailed", "InvalidProgram")
    small = "CVE-2025-30404, -54952"
    corpus.tensor("numel_wraps_to_zero", small, wraps, sizes=[65536, 65536])
    corpus.tensor("numel_wraps_to_one", small, wraps, sizes=[65537, 65535])
    corpus.tensor("bytes_wrap_to_zero", small, wraps, sizes=[1, 2**30])
    corpus.tensor("bytes_wrap_to_eight", small, wraps, sizes=[1, 2**30 + 2])
    corpus.tensor("bytes_wrap_for_doubles", small, wraps, sizes=[1, 2**29], scalar_type="DOUBLE")
    corpus.tensor("numel_beyond_signed", small, wraps, sizes=[2, 2**30], scalar_type="CHAR")
    corpus.tensor("numel_wraps_64_bits", small, "InvalidProgram", sizes=[2**22, 2**21, 2**21], dim_order=[0, 1, 2])
    corpus.tensor("bytes_wrap_64_bits", small, "InvalidProgram", sizes=[2**30, 2**30, 4], dim_order=[0, 1, 2])
    corpus.tensor(
        "zero_hides_an_overflow", small, "InvalidProgram", sizes=[0, 2**30, 2**30, 2**30], dim_order=[0, 1, 2, 3]
    )
    corpus.tensor("negative_size", "later fix: negative sizes", "InvalidProgram", sizes=[2, -3])
    corpus.tensor("two_negative_sizes", "later fix: negative sizes", "InvalidProgram", sizes=[-2, -3])
    corpus.tensor("smallest_size", "later fix: negative sizes", "InvalidProgram", sizes=[1, -(2**31)])
    corpus.tensor("rank_17", "CVE-2025-54951", "InvalidProgram", sizes=[1] * 17, dim_order=list(range(17)))
    corpus.tensor("rank_300", "CVE-2025-54951", "InvalidProgram", sizes=[1] * 300, dim_order=[0] * 300)
    corpus.tensor("dim_order_too_short", "CVE-2025-54949", "InvalidProgram", dim_order=[0])
    corpus.tensor("dim_order_missing", "CVE-2025-54949", "InvalidProgram", dim_order=[])
    corpus.tensor("unknown_type", "CVE-2025-54950", "InvalidProgram", scalar_type=100)
    corpus.tensor("negative_type", "CVE-2025-54950", "InvalidProgram", scalar_type=-1)


def _placement(corpus: Corpus) -> None:
    outside = "CVE-2025-30405"

    def at(low: int, high: int = 0, memory: int = 1) -> Json:
        return {"memory_id": memory, "memory_offset_low": low, "memory_offset_high": high}

    corpus.tensor("plan_one_byte_over", outside, "MemoryAllocationFailed", allocation_info=at(1024 - 23))
    corpus.tensor("plan_at_the_end", outside, "MemoryAllocationFailed", allocation_info=at(1024))
    corpus.tensor("plan_wraps_32_bits", outside, "MemoryAllocationFailed", allocation_info=at(2**32 - 8))
    corpus.tensor("plan_beyond_32_bits", outside, "MemoryAllocationFailed", allocation_info=at(0, 1))
    corpus.tensor("plan_wraps_64_bits", outside, "MemoryAllocationFailed", allocation_info=at(2**32 - 8, 2**32 - 1))
    corpus.tensor("memory_of_constants", outside, "InvalidArgument", allocation_info=at(0, memory=0))
    corpus.tensor("memory_that_is_not_there", outside, "InvalidArgument", allocation_info=at(0, memory=9))
    corpus.tensor("memory_number_wraps", outside, "InvalidArgument", allocation_info=at(0, memory=2**32 - 1))

    def sizes(*numbers: int) -> Callable[[Json], None]:
        return lambda content: _method(content).update(non_const_buffer_sizes=list(numbers))

    corpus.add("buffer_of_negative_size", outside, "InvalidProgram", sizes(0, -1))
    corpus.add("buffer_of_smallest_size", outside, "InvalidProgram", sizes(0, -(2**63)))
    corpus.add("no_planned_buffers", outside, "InvalidArgument", sizes())


def _indices(corpus: Corpus) -> None:
    bounds = "CVE-2025-54950"
    for side in ("inputs", "outputs"):
        for index in (-1, 3, 2**31 - 1):
            corpus.add(
                f"{side}_{index}", bounds, "InvalidProgram",
                lambda content, side=side, index=index: _method(content).update({side: [index]}),
            )  # fmt: skip

    def instructions(name: str, why: str, error: str, *items: Json, extra: Sequence[Json] = ()) -> None:
        def edit(content: Json) -> None:
            _method(content)["values"].extend(extra)
            _method(content)["chains"][0].update(instructions=list(items))

        corpus.add(name, why, error, edit, stage="execute" if name == "endless_loop" else "program")

    for index in (-1, 99, 2**31 - 1, -(2**31)):
        instructions(f"argument_{index}", bounds, "InvalidProgram", kernel(0, 0, index, 2))
        instructions(f"operator_{index}", bounds, "InvalidProgram", kernel(index, 0, 1, 2))
        instructions(f"delegate_{index}", bounds, "InvalidProgram", delegate(index, 0, 2))
        instructions(
            f"jump_to_{index}", bounds, "InvalidProgram", jump_false(3, index), extra=[value("Bool", bool_val=False)]
        )
    instructions("move_from_nowhere", bounds, "InvalidProgram", move(99, 0))
    # The file alone decides this, so Program::load() must refuse it, although load_method() checks
    # kinds too.
    instructions("move_of_an_int_to_a_tensor", "a value that changes its type", "InvalidProgram", move(1, 0))
    instructions(
        "endless_loop", "a loop without end", "InvalidProgram", jump_false(3, 0), extra=[value("Bool", bool_val=False)]
    )
    for kind in ("IntList", "TensorList", "OptionalTensorList"):
        corpus.add(
            f"{kind}_item_99", bounds, "InvalidProgram",
            lambda content, kind=kind: _method(content)["values"].append(value(kind, items=[99])),
        )  # fmt: skip
    corpus.add(
        "list_of_tensors_lists_an_int", "CVE-2025-54951", "InvalidType",
        lambda content: _method(content)["values"].append(value("OptionalTensorList", items=[1])),
    )  # fmt: skip


def _exhaustion(corpus: Corpus) -> None:
    why = "later fix: a list that exhausts the allocator"
    for kind, item in (("IntList", 1), ("TensorList", 0), ("OptionalTensorList", -1)):
        corpus.add(
            f"{kind}_of_50000", why, "MemoryAllocationFailed",
            lambda content, kind=kind, item=item: _method(content)["values"].append(value(kind, items=[item] * 50_000)),
            stage="method",
        )  # fmt: skip
    corpus.add(
        "50000_arguments", why, "MemoryAllocationFailed",
        lambda content: _method(content)["chains"][0].update(instructions=[kernel(0, *[0] * 50_000)]),
        stage="method",
    )  # fmt: skip
    corpus.add(
        "70000_arguments", "CVE-2025-54951: a count in 16 bits", "InvalidProgram",
        lambda content: _method(content)["chains"][0].update(instructions=[kernel(0, *[0] * 70_000)]),
    )  # fmt: skip
    corpus.add(
        "50000_values", why, "MemoryAllocationFailed",
        lambda content: _method(content)["values"].extend([value("Int", int_val=0)] * 50_000),
        stage="method",
    )  # fmt: skip


def _segments(corpus: Corpus) -> None:
    base = constants()
    wraps = "later fix: offsets of segments near 2^64"

    def case(name: str, why: str, error: str | tuple[str, str], edit: Callable[[Json], None]) -> None:
        corpus.add(name, why, error, edit, base)

    def segment(index: int, **fields: int) -> Callable[[Json], None]:
        return lambda content: content["segments"][index].update(fields)

    for name, offset in (("far", 10**6), ("near_2_64", 2**64 - 64), ("near_2_32", 2**32 - 64), ("at_2_32", 2**32)):
        case(f"constant_segment_{name}", wraps, "InvalidArgument", segment(0, offset=offset))
    case("constant_segment_size_2_64", wraps, "InvalidArgument", segment(0, size=2**64 - 1))
    case("constant_segment_size_2_32", wraps, "InvalidArgument", segment(0, size=2**32))
    case("delegate_segment_near_2_64", wraps, "InvalidArgument", segment(2, offset=2**64 - 64))
    case("delegate_segment_too_long", "CVE-2025-30402", "InvalidArgument", segment(2, size=10**6))
    case("state_segment_near_2_64", wraps, "InvalidArgument", segment(1, offset=2**64 - 64))
    case(
        "constant_segment_99",
        "CVE-2025-54950",
        "InvalidProgram",
        lambda c: c["constant_segment"].update(segment_index=99),
    )
    for name, offset in (("far", 36), ("wraps", 2**64 - 4), ("wraps_32_bits", 2**32 - 4), ("largest", 2**64 - 1)):
        case(
            f"constant_offset_{name}", "later fix: offsets of constants", "InvalidArgument",
            lambda content, offset=offset: content["constant_segment"].update(offsets=[0, 0, offset]),
        )  # fmt: skip
        case(
            f"state_offset_{name}", "later fix: offsets of constants", "InvalidArgument",
            lambda content, offset=offset: content["mutable_data_segments"][0].update(offsets=[0, offset]),
        )  # fmt: skip
    case(
        "constant_that_nobody_uses",
        "later fix: offsets of constants",
        "InvalidArgument",
        lambda content: content["constant_segment"].update(offsets=[0, 0, 16, 10**6]),
    )
    case(
        "constant_is_missing",
        "CVE-2025-54950",
        "InvalidArgument",
        lambda c: c["constant_segment"].update(offsets=[0, 0]),
    )
    case("state_is_missing", "CVE-2025-54950", "NotFound", lambda c: c["mutable_data_segments"][0].update(offsets=[0]))
    case(
        "state_segment_99",
        "CVE-2025-54950",
        "NotFound",
        lambda c: c["mutable_data_segments"][0].update(segment_index=99),
    )


def _delegates(corpus: Corpus) -> None:
    def case(name: str, why: str, error: str, entry: Json, data: list[Json] | None = None) -> None:
        def edit(content: Json) -> None:
            _method(content).update(delegates=[entry])
            _method(content)["chains"][0].update(instructions=[delegate(0, 0, 2)])
            content["backend_delegate_data"] = [{"data": [1, 2, 3, 4]}] if data is None else data

        corpus.add(name, why, error, edit)

    def without(field: str) -> Json:
        return {key: item for key, item in ethos_u().items() if key != field}

    null = "later fix: null data of a delegate"
    case("delegate_without_data", null, "InvalidProgram", ethos_u(), [{}])
    case("delegate_without_reference", null, "InvalidProgram", without("processed"))
    case("delegate_without_name", null, "InvalidProgram", without("id"))
    case("delegate_data_99", "CVE-2025-54950", "NotFound", ethos_u(99))
    case("delegate_segment_99", "CVE-2025-54950", "NotFound", ethos_u(99, "SEGMENT"))
    case("delegate_elsewhere", "CVE-2025-54951", "Internal", ethos_u(0, 7))  # type: ignore[arg-type]
    specs = "later fix: compile specs without a key"
    case("spec_without_key", specs, "InvalidProgram", ethos_u(compile_specs=[{"value": [1]}]))
    case("spec_without_value", specs, "InvalidProgram", ethos_u(compile_specs=[{"key": "a"}]))


# Positions of the blocks of a blob, by name.
def _blocks(blob: bytes) -> dict[str, int]:
    found, at = {}, 0
    while at < len(blob):
        name = blob[at : at + 16].rstrip(b"\0").decode()
        found[name] = at
        at += 32 + -(-struct.unpack_from("<I", blob, at + 16)[0] // 16) * 16
    return found


def _blob_edits() -> dict[str, tuple[str, bytes]]:
    """Return blobs of the NPU's delegate, as name -> (why, bytes)."""
    blob = blobs()["cnn_u55_128"]
    at = _blocks(blob)
    counts = "later fix: counts of inputs and outputs larger than their block"
    lengths = "lengths of blocks"

    def word(offset: int, number: int) -> bytes:
        return blob[:offset] + struct.pack("<I", number % 2**32) + blob[offset + 4 :]

    result: dict[str, tuple[str, bytes]] = {}
    for side in ("inputs", "outputs"):
        # 119304648 records of 36 bytes are 32 bytes modulo 2^32.
        for count in (0, 2, 64, 65, 119_304_648, 2**31 - 1, -1):
            result[f"blob_{side}_count_{count}"] = (counts, word(at[side] + 32, count))
        record = at[side] + 36
        for name, offset, number in (
            ("dimension_0", 8, 0),
            ("dimension_huge", 8, 2**31 - 1),
            ("dimensions_wrap", 20, 2**30),
            ("element_0", 24, 0),
            ("element_huge", 24, -1),
            ("offset_far", 28, 2**20),
            ("offset_wraps", 28, -4),
            ("region_2", 32, 2),
            ("region_negative", 32, -1),
        ):
            result[f"blob_{side}_{name}"] = (counts, word(record + offset, number))
    for name, start in at.items():
        for length in (0xFFFFFFFF, 0xFFFFFFF0, len(blob), 1):
            result[f"blob_{name}_length_{length:x}"] = (lengths, word(start + 16, length))
    result["blob_scratch_0"] = ("scratch bounds", word(at["scratch_size"] + 32, 0))
    result["blob_scratch_huge"] = ("scratch bounds", word(at["scratch_size"] + 32, -1))
    result["blob_empty"] = (lengths, b"")
    result["blob_of_one_block"] = (lengths, blob[:32])
    result["blob_cut"] = (lengths, blob[: at["outputs"]])
    result["blob_not_padded"] = (lengths, blob[:-1])
    payload = at["cmd_data"] + 32
    result["payload_stream_longer"] = ("length of the command stream", word(payload + 28, 0xFFFFFF02))
    result["payload_no_magic"] = ("driver payload", word(payload, 0))
    result["payload_unknown_action"] = ("driver payload", word(payload + 4, 0xFF))
    return result


# Blobs in which the bytes after the shortened block do not form a block. After the other blocks,
# these bytes form a block of another name.
_TOO_SHORT = {"blob_scratch_size_length_1", "blob_vela_end_stream_length_1"}


def _npu_blobs(corpus: Corpus) -> None:
    for name, (why, blob) in _blob_edits().items():
        values = [tensor([1, 8, 8, 1], scalar_type="CHAR", at=0), tensor([1, 10], scalar_type="CHAR", at=512)]
        content = program(
            plan(values, [0], [1], [delegate(0, 0, 1)], delegates=[ethos_u(compile_specs=[])]),
            backend_delegate_data=[{"data": list(blob)}],
        )
        # Malformed data and well-formed data that the delegate does not know are different errors.
        foreign = "region" in name or "unknown" in name or (name.endswith("_length_1") and name not in _TOO_SHORT)
        error = "DelegateInvalidCompatibility" if foreign else "InvalidProgram"
        # This file does not go through for_probes(), because the real delegate must refuse it.
        expectation = Expectation(error, error, why, "method")
        corpus.cases.append(Regression(name, content, [], expectation))


def corpus() -> list[Regression]:
    found = Corpus()
    for part in (_shapes, _placement, _indices, _exhaustion, _segments, _delegates, _npu_blobs):
        part(found)
    return found.cases


def also() -> dict[str, bytes]:
    """Return files whose errors the differential tests compare with the wheel's.

    Here they must only do no harm.
    """
    bad_ones = assemble({name: (for_probes(content), segments) for name, (content, segments) in bad().items()})
    whole = assemble({name: good()[name] for name in ("one_kernel", "constants")})
    return bad_ones | dict(damaged(whole["one_kernel"], whole["constants"]))


def write(folder: Path) -> dict[str, Expectation]:
    """Write the corpus, and return the expectation for each file, by its name."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = corpus()
    files = assemble({case.name: (case.content, case.segments) for case in cases})
    for name, content in files.items():
        (folder / f"{name}.pte").write_bytes(content)
    for name, content in also().items():
        (folder / f"also_{name}.pte").write_bytes(content)
    expected = {case.name: case.expectation for case in cases}
    text = json.dumps({name: asdict(expectation) for name, expectation in expected.items()}, indent=1)
    (folder / "expected.json").write_text(text, encoding="utf-8")
    return expected


def verdicts(said: str) -> dict[str, tuple[str, int]]:
    """Return, for each file, the stage and the error code that `loader_replay --print` printed."""
    found = re.findall(r"^(\S+): (\w+) 0x(\w+) \d+$", said, re.MULTILINE)
    return {Path(path).stem: (stage, int(error, 16)) for path, stage, error in found}


def differences(expected: dict[str, Expectation], got: dict[str, tuple[str, int]], *, narrow: bool) -> dict[str, str]:
    """Return what is wrong, by file; empty when all is as expected.

    got: for each file, the stage that refused it and the runtime's error code.
    narrow: the verdicts come from a 32-bit process.
    """
    names = {code: name for name, code in ERRORS.items()}
    wrong = {}
    for name, expectation in expected.items():
        stage, code = got[name]
        was = f"{names.get(code, hex(code))} by {stage}"
        wanted = f"{expectation.narrow if narrow else expectation.wide} by {expectation.stage}"
        if was != wanted:
            wrong[name] = f"{was} instead of {wanted} ({expectation.why})"
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    write(parser.parse_args().folder)


if __name__ == "__main__":
    main()
