# SPDX-License-Identifier: Apache-2.0
"""Decodes weight streams in a process of its own. weight_codec.py starts it; nothing imports it.

Vela's codec ends the process on a damaged stream. Requests come on stdin (u32 length, stream),
answers go to stdout (u32 count, int16 values). End of file on stdin ends the process.
"""

import array
import os
import resource
import struct
import sys

from ethosu import mlw_codec

# A damaged stream can decode to any number of zeros.
_MEMORY_LIMIT_BYTES = 4 << 30


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT_BYTES, _MEMORY_LIMIT_BYTES))
    requests = sys.stdin.buffer
    with os.fdopen(os.dup(1), "wb") as answers:
        # The codec prints error messages to stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        while len(header := requests.read(4)) == 4:
            (size,) = struct.unpack("<I", header)
            values = array.array("h", mlw_codec.decode(bytearray(requests.read(size))))
            answers.write(struct.pack("<I", len(values)) + values.tobytes())
            answers.flush()


main()
