# SPDX-License-Identifier: Apache-2.0
"""The inputs from which fuzzing starts: good programs, delegate blobs, frames, and dictionaries.

    python tests/fuzz/seeds.py FOLDER   writes loader/, delegate/, frames/ and a dictionary of each

The programs are the hand-written ones of tests/unit/firmware/executorch and the exports of a CNN
for the NPU in tests/unit/firmware/ethos_u/data. Some blobs there are for U85, one of them with the
second format of the driver payload and with regions of inputs and outputs. You can add files to
FOLDER/loader.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/unit/firmware/executorch"))

from good_programs import good  # noqa: E402
from programs import Assembler, Json, Programs  # noqa: E402

from pilotlight.pte import read_program  # noqa: E402

_NONCE = bytes(range(1, 17))
_RESET = struct.pack("<I", 0x54455352)  # A device resets only if the message has this number.

_EXPORTS = ROOT / "tests/unit/firmware/ethos_u/data"


def for_probes(content: Json) -> Json:
    """Return the program with the probe backend's name in place of the NPU delegate's."""
    renamed: Json = json.loads(json.dumps(content).replace('"EthosUBackend"', '"FuzzBackend"'))
    return renamed


def assemble(contents: Programs) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        return Assembler(Path(folder)).assemble(contents)


def good_programs() -> dict[str, bytes]:
    handwritten = {name: (for_probes(content), segments) for name, (content, segments) in good().items()}
    exports = {file.stem: file.read_bytes() for file in sorted(_EXPORTS.glob("*.pte"))}
    return assemble(handwritten) | exports


def blobs() -> dict[str, bytes]:
    found = {file.stem: file.read_bytes() for file in sorted(_EXPORTS.glob("*.blob"))}
    for file in sorted(_EXPORTS.glob("*.pte")):
        for name, method in read_program(file.read_bytes()).methods.items():
            for index, delegate in enumerate(method.delegates):
                found[f"{file.stem}_{name}_{index}"] = delegate.blob
    return found


def _message(kind: int, payload: bytes = b"") -> bytes:
    return struct.pack("<BH", kind, len(payload)) + payload


def _frame(kind: int, sequence: int, payload: bytes) -> bytes:
    """Return one frame as it is on the wire (firmware/protocol/SPEC.md)."""
    body = struct.pack("<BBH", kind, 0, sequence) + payload
    body += struct.pack("<I", zlib.crc32(body))
    blocks = b""
    for piece in body.split(b"\0"):
        blocks += bytes([len(piece) + 1]) + piece
    return b"\0" + blocks + b"\0"


def frames() -> dict[str, bytes]:
    """Return streams for frames_target.cpp.

    The first byte is 0 for raw bytes, and 1 for messages that the target frames itself.
    """
    session = [
        (0x01, _NONCE),
        (0x02, b"\0"),
        (0x03, b"\0\0\0"),
        (0x04, bytes(8) + bytes(range(8))),
        (0x05, bytes(4) + struct.pack("<II", 1, 1000)),
        (0x06, b"\0\0" + struct.pack("<HI", 4, 0)),
        (0x07, b"\0"),
        (0x0A, b""),
        (0x08, struct.pack("<I", 1)),
        (0x09, _RESET),
    ]
    # Pieces that begin inside their tensor and end beyond it.
    beyond = [
        *session[:1],
        (0x04, bytes(8) + bytes(24)),
        (0x04, struct.pack("<BBHI", 0, 0, 0, 20) + bytes(8)),
        (0x05, bytes(4) + struct.pack("<II", 1, 1000)),
        (0x06, struct.pack("<BBHI", 0, 0, 12, 4)),
    ]
    raw = b"".join(_frame(kind, sequence, payload) for sequence, (kind, payload) in enumerate(session))
    # Frames that end inside their header or checksum.
    short = b"".join(b"\0" + bytes([size + 1]) + bytes(range(1, size + 1)) for size in range(10)) + b"\0"
    return {
        "raw": b"\0" + raw,
        "short": b"\0" + short,
        "messages": b"\1" + b"".join(_message(kind, payload) for kind, payload in session),
        "beyond": b"\1" + b"".join(_message(kind, payload) for kind, payload in beyond),
    }


_BLOCKS = ("vela_bin_stream", "cmd_data", "weight_data", "scratch_size", "inputs", "outputs", "vela_end_stream")
_WORDS_OF_BLOBS = {
    **{"driver_payload": b"COP1", "second_payload": b"COP2", "facts": b"VEUM"},
    **{f"block_{name}": name.encode().ljust(16, b"\0") for name in _BLOCKS},
}
_WORDS_OF_PROGRAMS = {
    "identifier": b"ET12",
    "extended_header": b"eh00",
    "probe_backend": b"FuzzBackend",
    "npu_backend": b"EthosUBackend",
    "kernel": b"probe::trace",
    "quantize": b"quantized_decomposed::quantize_per_tensor",
    **_WORDS_OF_BLOBS,
}
_WORDS_OF_FRAMES = {"nonce": _NONCE, "reset": _RESET, "empty_block": b"\1\1", "two_frames": b"\0\0"}


def dictionary(target: str) -> str:
    """Return words of the target's format, in the syntax of libFuzzer and AFL++."""
    words = dict({"frames": _WORDS_OF_FRAMES, "delegate": _WORDS_OF_BLOBS}.get(target, _WORDS_OF_PROGRAMS))
    for name, value in (("max", 2**31 - 1), ("min", 2**31), ("all", 2**32 - 1), ("large", 2**30), ("64k", 2**16)):
        words[f"u32_{name}"] = struct.pack("<I", value)
        if target != "frames":  # Frames have no 64-bit numbers.
            words[f"u64_{name}"] = struct.pack("<Q", value << 32)
    lines = []
    for name, word in words.items():
        escaped = "".join(f"\\x{byte:02x}" for byte in word)
        lines.append(f'{name}="{escaped}"\n')
    return "".join(lines)


def write(folder: Path) -> None:
    contents: dict[str, dict[str, bytes]] = {"loader": good_programs(), "delegate": blobs(), "frames": frames()}
    for target, files in contents.items():
        (folder / target).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            suffix = ".pte" if target == "loader" else ".bin"
            (folder / target / f"{name}{suffix}").write_bytes(content)
        (folder / f"{target}.dict").write_text(dictionary(target), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    arguments: Any = parser.parse_args()
    write(arguments.folder)


if __name__ == "__main__":
    main()
