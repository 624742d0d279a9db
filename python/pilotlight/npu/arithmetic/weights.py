# SPDX-License-Identifier: Apache-2.0
"""The weights and scales of convolutions, from their streams."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.arithmetic.weight_codec import WeightCodec, shared_codec
from pilotlight.npu.arithmetic.weight_matrix import Weights
from pilotlight.npu.arithmetic.weight_store import WeightStore
from pilotlight.npu.stream.faults import MalformedStream
from pilotlight.user_cache import weight_cache

_SCALE_RECORD_BYTES = 10


class Geometry(Protocol):
    """What orders the weights of a product's streams. Hashable, and repr() shows all of it."""

    def matrix(self, streams: tuple[bytes, ...], decode: Callable[[bytes], NDArray[np.int16]]) -> NDArray[np.float32]:
        """Return the weights in `streams` as the matrix of `Weights`.

        decode: decompresses a stream, and raises BadWeights if it is damaged.
        """


@dataclass(frozen=True)
class ScaleFormat:
    """The layout of a record of 10 bytes, little endian: bias, multiplier, shift.

    The bias is signed. The shift has 6 bits.
    """

    bias_bytes: int
    multiplier_bytes: int
    multiplier_bits: int


U55_SCALES = ScaleFormat(bias_bytes=5, multiplier_bytes=4, multiplier_bits=32)
# U85 has one format per type of accumulator.
U85_INT32_SCALES = ScaleFormat(bias_bytes=4, multiplier_bytes=4, multiplier_bits=31)
U85_INT48_SCALES = ScaleFormat(bias_bytes=6, multiplier_bytes=2, multiplier_bits=15)


@dataclass(frozen=True)
class ScaleRecords:
    """The content of the scale streams, one entry per output channel."""

    bias: NDArray[np.float64]
    multiplier: NDArray[np.int64]
    shift: NDArray[np.int64]


class WeightCache:
    """Decoded weights by the bytes of their streams.

    An address cannot be the key: compilers copy weights through a small buffer, so one address
    holds many streams in turn. The oldest entries are dropped beyond `limit_bytes`. `store` keeps
    the weights for other processes.
    """

    def __init__(
        self, codec: WeightCodec | None = None, limit_bytes: int = 512 << 20, store: WeightStore | None = None
    ) -> None:
        self._codec = codec or shared_codec()
        self._store = store or WeightStore(weight_cache())
        self._limit_bytes = limit_bytes
        self._held_bytes = 0
        self._weights: OrderedDict[Any, Weights] = OrderedDict()

    def weights(self, streams: tuple[bytes, ...], geometry: Geometry) -> Weights:
        """Return the weights of an operation's streams. Raises what `geometry.matrix` raises."""
        key = (streams, geometry)
        found = self._weights.get(key)
        if found is None:
            name = self._store.key(streams, geometry)
            found = self._store.load(name)
            if found is None:
                found = Weights.of(geometry.matrix(streams, self._codec.decode))
                self._store.save(name, found)
            self._weights[key] = found
            self._held_bytes += found.matrix.nbytes
            while self._held_bytes > self._limit_bytes and len(self._weights) > 1:
                _, dropped = self._weights.popitem(last=False)
                self._held_bytes -= dropped.matrix.nbytes
        return found


def parse_scales(streams: tuple[bytes, ...], channels: int, layout: ScaleFormat) -> ScaleRecords:
    """Return the content of the scale streams.

    Stream s of n has the channels with index mod n = s. Raises MalformedStream if a stream is too
    short.
    """
    cores = len(streams)
    records = np.zeros((channels, _SCALE_RECORD_BYTES), np.uint8)
    for core, stream in enumerate(streams):
        count = len(range(core, channels, cores))
        size_bytes = count * _SCALE_RECORD_BYTES
        if len(stream) < size_bytes:
            raise MalformedStream(f"SCALE_LENGTH {len(stream)} is too short for {count} channels of 10 bytes")
        records[core::cores] = np.frombuffer(stream, np.uint8, size_bytes).reshape(count, _SCALE_RECORD_BYTES)
    multiplier_at, shift_at = layout.bias_bytes, layout.bias_bytes + layout.multiplier_bytes
    bias = np.zeros((channels, 8), np.uint8)
    bias[:, 8 - layout.bias_bytes :] = records[:, :multiplier_at]
    # The bias is in the upper end of a 64-bit word, so the shift extends the sign.
    signed_bias = bias.view("<i8")[:, 0] >> 64 - 8 * layout.bias_bytes
    multiplier = np.zeros((channels, 8), np.uint8)
    multiplier[:, : layout.multiplier_bytes] = records[:, multiplier_at:shift_at]
    shift = (records[:, shift_at] & 0x3F).astype(np.int64)
    return ScaleRecords(
        signed_bias.astype(np.float64), multiplier.view("<i8")[:, 0] & (1 << layout.multiplier_bits) - 1, shift
    )
