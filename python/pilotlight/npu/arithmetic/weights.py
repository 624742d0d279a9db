# SPDX-License-Identifier: Apache-2.0
"""The weights and scales of convolutions, from their streams."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pilotlight.npu.arithmetic.weight_codec import WeightCodec, shared_codec
from pilotlight.npu.arithmetic.weight_matrix import Weights
from pilotlight.npu.arithmetic.weight_order import WeightGeometry, in_order
from pilotlight.npu.arithmetic.weight_store import WeightStore
from pilotlight.npu.stream.faults import MalformedStream
from pilotlight.user_cache import weight_cache

_SCALE_RECORD_BYTES = 10


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

    def weights(self, streams: tuple[bytes, ...], geometry: WeightGeometry) -> Weights:
        """Return the weights of one stream per core.

        Core s has the output channels with index mod len(streams) = s. Raises BadWeights.
        """
        key = (streams, geometry)
        found = self._weights.get(key)
        if found is None:
            name = self._store.key(streams, geometry)
            found = self._store.load(name)
            if found is None:
                found = Weights.of(self._decode(streams, geometry))
                self._store.save(name, found)
            self._weights[key] = found
            self._held_bytes += found.matrix.nbytes
            while self._held_bytes > self._limit_bytes and len(self._weights) > 1:
                _, dropped = self._weights.popitem(last=False)
                self._held_bytes -= dropped.matrix.nbytes
        return found

    def _decode(self, streams: tuple[bytes, ...], geometry: WeightGeometry) -> NDArray[np.float32]:
        g = geometry
        rows = g.height * g.width * (1 if g.depthwise else g.in_channels)
        matrix = np.zeros((rows, g.out_channels), np.float32)
        cores = len(streams)
        for core, stream in enumerate(streams):
            channels = -(-(g.out_channels - core) // cores)
            if channels < 1:
                continue
            block_depth = -(-(g.ofm_block_depth - core) // cores)
            share = WeightGeometry(**{**g.__dict__, "out_channels": channels, "ofm_block_depth": max(1, block_depth)})
            matrix[:, core::cores] = in_order(self._codec.decode(stream), share)
        return matrix


def parse_scales(streams: tuple[bytes, ...], channels: int) -> ScaleRecords:
    """Return the content of the scale streams, one per core.

    Cores have the same channels as for weights. Raises MalformedStream if a stream is too short.
    """
    cores = len(streams)
    records = np.zeros((channels, _SCALE_RECORD_BYTES), np.uint8)
    for core, stream in enumerate(streams):
        count = len(range(core, channels, cores))
        size_bytes = count * _SCALE_RECORD_BYTES
        if len(stream) < size_bytes:
            raise MalformedStream(f"SCALE_LENGTH {len(stream)} is too short for {count} channels of 10 bytes")
        records[core::cores] = np.frombuffer(stream, np.uint8, size_bytes).reshape(count, _SCALE_RECORD_BYTES)
    bias = np.zeros((channels, 8), np.uint8)
    bias[:, 3:] = records[:, :5]
    # The five bytes are in the upper end of a 64-bit word, so the shift extends the sign.
    signed_bias = bias.view("<i8")[:, 0] >> 24
    multiplier = np.ascontiguousarray(records[:, 5:9]).view("<u4")[:, 0].astype(np.int64)
    shift = (records[:, 9] & 0x3F).astype(np.int64)
    return ScaleRecords(signed_bias.astype(np.float64), multiplier, shift)
