# SPDX-License-Identifier: Apache-2.0
"""Decodes weight streams in a process of its own. weight_codec.py starts it; nothing imports it.

Vela's codec ends the process on a damaged stream. Requests come on stdin (u32 length, stream),
answers go to stdout (u32 count, int16 values). End of file on stdin ends the process.

The codec's C function `mlw_decode` is called directly, if the wheel exports it. Its Python function
makes a list of integers, which takes twice as long as decoding, and its import takes 70 ms.
"""

import array
import ctypes
import os
import resource
import struct
import sys
from collections.abc import Callable
from importlib.util import find_spec

# A damaged stream can decode to any number of zeros.
_MEMORY_LIMIT_BYTES = 4 << 30


def decoder() -> Callable[[bytes], bytes]:
    """Return a function from a stream to the bytes of its int16 values."""
    spec = find_spec("ethosu.mlw_codec")
    library = None if spec is None or spec.origin is None else ctypes.CDLL(spec.origin)
    if library is None or not (hasattr(library, "mlw_decode") and hasattr(library, "mlw_free_outbuf")):
        return in_python
    # int32_t mlw_decode(uint8_t* inbuf, int32_t inbuf_size, int16_t** outbuf, int32_t verbose):
    # returns the number of values.
    decode, free = library.mlw_decode, library.mlw_free_outbuf
    decode.argtypes = [ctypes.c_char_p, ctypes.c_int32, ctypes.POINTER(ctypes.c_void_p), ctypes.c_int32]
    decode.restype = ctypes.c_int32
    free.argtypes, free.restype = [ctypes.c_void_p], None

    def in_c(stream: bytes) -> bytes:
        values = ctypes.c_void_p()
        count = decode(stream, len(stream), ctypes.byref(values), 0)
        if count < 0:
            sys.exit("the stream does not decode")
        try:
            return ctypes.string_at(values, 2 * count) if count else b""
        finally:
            free(values)

    return in_c


def in_python(stream: bytes) -> bytes:
    from ethosu import mlw_codec

    return array.array("h", mlw_codec.decode(bytearray(stream))).tobytes()


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT_BYTES, _MEMORY_LIMIT_BYTES))
    requests, decode = sys.stdin.buffer, decoder()
    with os.fdopen(os.dup(1), "wb") as answers:
        # The codec prints error messages to stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        while len(header := requests.read(4)) == 4:
            (size,) = struct.unpack("<I", header)
            values = decode(requests.read(size))
            answers.write(struct.pack("<I", len(values) // 2) + values)
            answers.flush()


if __name__ == "__main__":
    main()
