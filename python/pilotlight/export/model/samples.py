# SPDX-License-Identifier: Apache-2.0
"""Samples as people have them: arrays, batches, dicts, data loaders, functions that yield.

`Samples` turns each form into samples of the model: a tuple of tensors with the shapes and dtypes
of the example inputs. A source that yields is read again for each pass, so it may be larger than
memory.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch

from pilotlight.errors import ModelError

Sample = tuple[torch.Tensor, ...]

# In place of a label: the source gave none.
NO_LABEL = object()


@dataclass(frozen=True)
class Shapes:
    """What a sample must be. names: of forward's parameters, in order."""

    examples: Sample
    names: tuple[str, ...]

    @classmethod
    def of(cls, module: Any, examples: Sample) -> Shapes:
        return cls(examples, _names(module, len(examples)))


class Samples:
    """The samples of a source. It can be iterated again and again.

    what: "calibration" or "data set", for messages.
    source: an iterable of items, a function that returns one, or an array or tuple or dict of
        arrays [samples, ...]. An item is a tensor, a tuple or a dict of tensors, with or without a
        label after it, `(inputs, label)`. An item may be a batch.

    Iterating raises ModelError for an item that does not fit the model.
    """

    def __init__(self, what: str, source: Any, shapes: Shapes) -> None:
        self._what, self._shapes = what, shapes
        self._count: int | None = None
        if isinstance(source, Iterator):
            raise ModelError(
                f"{what}: the {type(source).__name__} can be read only once, and the samples are read several times",
                hint="give the function that makes it: calibration=samples, not calibration=samples()",
            )
        if not (callable(source) or _is_array(source) or isinstance(source, Iterable) or _is_indexed(source)):
            raise ModelError(
                f"{what}: {type(source).__name__} holds no samples",
                hint="give arrays, a list, a data loader, or a function that yields samples",
            )
        self._source = source

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return self._shapes.names

    def __iter__(self) -> Iterator[Sample]:
        return (sample for sample, _ in self.labelled())

    def first(self, count: int) -> list[Sample]:
        """Return the first `count` samples, or all if there are fewer."""
        return list(islice(self, count))

    def count(self) -> int:
        """Return the number of samples. The first call may read them all."""
        if self._count is None:
            self._count = sum(1 for _ in self)
        return self._count

    def labelled(self) -> Iterator[tuple[Sample, Any]]:
        """Yield each sample with its label, NO_LABEL if it has none."""
        number = 0
        for item in self._items():
            for sample, label in self._split(item, number):
                yield sample, label
                number += 1
        self._count = number

    def _items(self) -> Iterator[Any]:
        source = self._source
        if callable(source) and not isinstance(source, Iterable):
            source = source()
        if _is_array(source) or isinstance(source, Mapping):
            return iter([source])
        if isinstance(source, tuple) and len(source) == len(self._shapes.examples) > 1 and all(map(_is_array, source)):
            return iter([source])
        if not isinstance(source, Iterable) and _is_indexed(source):
            return (source[index] for index in range(len(source)))
        try:
            return iter(source)
        except TypeError:
            raise ModelError(f"{self._what}: the function returned {type(source).__name__}, no samples") from None

    def _split(self, item: Any, number: int) -> Iterator[tuple[Sample, Any]]:
        """Yield the samples of one item, of which the first is sample `number`."""
        inputs, label = self._inputs_and_label(item)
        where = f"{self._what}, sample {number}"
        values = [
            _tensor(value, example, f"{where}: input {name!r}")
            for value, example, name in zip(
                self._in_order(inputs, where), self._shapes.examples, self._shapes.names, strict=True
            )
        ]
        sizes = {
            name: _batch(value, example)
            for value, example, name in zip(values, self._shapes.examples, self._shapes.names, strict=True)
        }
        for (name, size), value, example in zip(sizes.items(), values, self._shapes.examples, strict=True):
            if size is None:
                raise ModelError(
                    f"{where}: input {name!r} has the shape {tuple(value.shape)}, and the model takes "
                    f"{tuple(example.shape)}",
                    hint="a batch of samples, or one sample with or without its batch dimension",
                )
        if len(set(sizes.values())) > 1:
            told = ", ".join(f"{name} {size}" for name, size in sizes.items())
            raise ModelError(f"{where}: the inputs of one batch have different numbers of samples: {told}")
        size = next(iter(sizes.values())) or 0
        rows = [_rows(value, example, size) for value, example in zip(values, self._shapes.examples, strict=True)]
        labels = self._labels(label, size, where)
        for index in range(size):
            yield tuple(row[index] for row in rows), labels[index]

    def _inputs_and_label(self, item: Any) -> tuple[Any, Any]:
        wanted = len(self._shapes.examples)
        is_pair = isinstance(item, tuple | list) and len(item) == 2 and not _is_numbers(item)
        if is_pair and (wanted == 1 or isinstance(item[0], tuple | list | Mapping)):
            return item[0], item[1]
        return item, NO_LABEL

    def _in_order(self, inputs: Any, where: str) -> list[Any]:
        names = self._shapes.names
        if isinstance(inputs, Mapping):
            unknown = [key for key in inputs if key not in names]
            if unknown:
                close = difflib.get_close_matches(str(unknown[0]), names, n=1)
                nearest = f"did you mean {close[0]!r}? " if close else ""
                raise ModelError(
                    f"{where}: forward has no input {unknown[0]!r}", hint=f"{nearest}it takes {', '.join(names)}"
                )
            missing = [name for name in names if name not in inputs]
            if missing:
                raise ModelError(f"{where}: input {missing[0]!r} is missing", hint=f"forward takes {', '.join(names)}")
            return [inputs[name] for name in names]
        if len(names) == 1 and not (isinstance(inputs, tuple) and len(inputs) == 1):
            return [inputs]
        if not isinstance(inputs, tuple | list) or len(inputs) != len(names):
            given = len(inputs) if isinstance(inputs, tuple | list) else 1
            raise ModelError(
                f"{where}: has {given} input{'s' * (given != 1)}, and forward takes {len(names)}: {', '.join(names)}",
                hint="a tuple of all inputs, or a dict by their names; a label comes after it: (inputs, label)",
            )
        return list(inputs)

    def _labels(self, label: Any, size: int, where: str) -> Sequence[Any]:
        if label is NO_LABEL or (size == 1 and not (_is_array(label) and label.shape[:1] == (1,))):
            return [label] * size
        if isinstance(label, torch.Tensor):
            label = label.numpy()
        if not isinstance(label, Sequence | np.ndarray) or isinstance(label, str) or len(label) != size:
            has = len(label) if isinstance(label, Sequence | np.ndarray) and not isinstance(label, str) else "no"
            raise ModelError(f"{where}: a batch of {size} samples has {has} labels")
        return list(label)


def demand_finite(samples: Samples) -> None:
    """Raise ModelError for NaN or infinity in a calibration sample, because no range holds it."""
    for index, sample in enumerate(samples):
        for name, value in zip(samples.names, sample, strict=True):
            finite = torch.isfinite(value)
            if finite.all():
                continue
            what = "NaN" if torch.isnan(value).any() else "infinite values"
            raise ModelError(
                f"calibration, sample {index}: input {name!r} has {int((~finite).sum()):,} {what}, and "
                "a range cannot include it",
                hint="a mask may have the lowest finite number instead of -inf: torch.finfo(torch.float32).min"
                if what != "NaN"
                else "leave the sample out, or correct its source",
            )


def with_labels(samples: Iterable[Sample], labels: Any, what: str) -> Iterator[tuple[Sample, Any]]:
    """Yield samples with labels that were given apart from them. Raises ModelError if there are
    more of one."""
    rest, left = iter(labels), iter(samples)
    number = 0
    for number, sample in enumerate(left, start=1):
        label = next(rest, NO_LABEL)
        if label is NO_LABEL:
            raise ModelError(f"{what}: has {number - 1} labels for {number + sum(1 for _ in left)} samples")
        yield sample, label
    more = sum(1 for _ in rest)
    if more:
        raise ModelError(f"{what}: has {number + more} labels for {number} samples")


def _names(module: Any, count: int) -> tuple[str, ...]:
    signature = getattr(module, "graph_signature", None)
    if signature is not None and len(signature.user_inputs) == count:
        return tuple(map(str, signature.user_inputs))
    forward: Callable[..., Any] | None = getattr(module, "forward", None)
    if forward is not None:
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = inspect.signature(forward).parameters.values()
        names = [parameter.name for parameter in parameters if parameter.kind in kinds]
        if len(names) >= count:
            return tuple(names[:count])
    return tuple(f"input_{index}" for index in range(count))


def _is_array(value: Any) -> bool:
    return isinstance(value, torch.Tensor | np.ndarray)


def _is_indexed(value: Any) -> bool:
    """Whether `value` is a map-style data set, `value[0]` to `value[len(value) - 1]`."""
    return hasattr(value, "__getitem__") and hasattr(value, "__len__")


def _is_numbers(value: Any) -> bool:
    """Whether nested lists hold nothing but numbers, and so are an array written out."""
    if isinstance(value, list):
        return bool(value) and all(map(_is_numbers, value))
    return isinstance(value, int | float)


def _tensor(value: Any, example: torch.Tensor, where: str) -> torch.Tensor:
    try:
        tensor = value if isinstance(value, torch.Tensor) else torch.as_tensor(np.asarray(value))
    except (TypeError, ValueError) as error:
        raise ModelError(f"{where} is {type(value).__name__}, not an array: {error}") from error
    if tensor.dtype == example.dtype:
        return tensor.detach()
    if tensor.is_floating_point() and not example.is_floating_point():
        raise ModelError(f"{where} is {tensor.dtype}, and the model takes {example.dtype}".replace("torch.", ""))
    return tensor.detach().to(example.dtype)


def _batch(value: torch.Tensor, example: torch.Tensor) -> int | None:
    """Return how many samples `value` holds, None if its shape does not fit."""
    shape, wanted = tuple(value.shape), tuple(example.shape)
    if shape == wanted:
        return 1
    if wanted[:1] == (1,) and shape == wanted[1:]:
        return 1
    if wanted[:1] == (1,) and len(shape) == len(wanted) and shape[1:] == wanted[1:]:
        return int(shape[0])
    return None


def _rows(value: torch.Tensor, example: torch.Tensor, size: int) -> list[torch.Tensor]:
    if value.shape == example.shape:
        return [value]
    return [row.reshape(example.shape) for row in value.reshape(size, *example.shape[1:])]
