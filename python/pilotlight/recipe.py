# SPDX-License-Identifier: Apache-2.0
"""The recipe of a quantisation: the widths of values and weights, and how ranges are found.

A recipe is a dataclass in a model file, and a text on the command line. Both forms say the same:

>>> recipe = Recipe("a16w8", observer="percentile", settings={"matmul": "int8"})
>>> str(recipe)
'a16w8:observer=percentile:matmul=int8'
>>> Recipe.parse(str(recipe)) == recipe
True

The text begins with a precision. Presets follow with "+", options and settings with ":".

    int8+a16-softmax:observer=mse:epsilon=2^-20:name.encoder.*=a16w8

This file does not import torch. `export/quantising/annotations.py` applies a recipe to a model.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pilotlight.errors import ConfigError

# Name -> bits of activations and of weights, and whether each output channel has its own scale.
PRECISIONS: dict[str, tuple[int, int, bool]] = {
    "int8": (8, 8, True),
    "int8-per-tensor": (8, 8, False),
    "a16w8": (16, 8, True),
    "a16w8-per-tensor": (16, 8, False),
    "a8w4": (8, 4, True),
    "a8w4-per-tensor": (8, 4, False),
}
# Not quantised at all. The operator then runs on the CPU.
FLOAT = "float"
_SHORT_NAMES = {"a16": "a16w8", "a8w8": "int8", "a8": "int8"}

OBSERVERS = ("minmax", "histogram", "percentile", "mse")

# Word -> names of PyTorch's operators, as `short_name` in user_operators.py writes them.
GROUPS: dict[str, frozenset[str]] = {
    "conv": frozenset(("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "convolution")),
    "linear": frozenset(("linear", "addmm")),
    "matmul": frozenset(("matmul", "bmm", "mm", "baddbmm", "einsum")),
    "attention": frozenset(("scaled_dot_product_attention",)),
    "add": frozenset(("add", "sub", "add_", "sub_")),
    "mul": frozenset(("mul", "mul_", "div", "div_")),
    "softmax": frozenset(("softmax", "_softmax", "_safe_softmax", "log_softmax", "_log_softmax")),
    "norms": frozenset(("layer_norm", "group_norm", "batch_norm", "instance_norm", "rms_norm")),
    "activations": frozenset(
        ("gelu", "silu", "sigmoid", "tanh", "elu", "leaky_relu", "prelu", "hardswish", "hardsigmoid", "exp", "log")
    ),
    "pools": frozenset(
        ("avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "max_pool1d", "max_pool2d", "mean")
    ),
}
# Sums of two activations that are computed from one value. The model decides which sums these are.
RESIDUALS = "residuals"
# The model's inputs and outputs: the integers that the device takes and returns.
INPUTS, OUTPUTS = "inputs", "outputs"
WORDS = (*GROUPS, RESIDUALS, INPUTS, OUTPUTS)

PRESETS: dict[str, tuple[str, str]] = {
    "a16-residuals": (RESIDUALS, "a16w8"),
    "a16-norms": ("norms", "a16w8"),
    "a16-softmax": ("softmax", "a16w8"),
}

# The smallest scale of an 8-bit and of a 16-bit activation. Upstream's limit for 16 bits, 2^-12, is
# wider than a step of a tensor whose largest value is below 8.
DEFAULT_EPSILON = {8: 2.0**-16, 16: 2.0**-20}
DEFAULT_PERCENTILE = 99.99

_OPTIONS = ("observer", "percentile", "epsilon")
_BY_TYPE, _BY_NAME = "type.", "name."
_OPERATOR = re.compile(r"[A-Za-z_][\w.]*")
_FORM = 'a setting is WHERE=HOW, such as softmax=a16, type.LayerNorm=a16 or "name.head=int8,minmax"'


@dataclass(frozen=True)
class Setting:
    """How some operators are quantised, if not as the rest of the recipe says.

    where: "softmax" (a word of `WORDS`, or an operator as PyTorch names it), "type.LayerNorm" (the
        class of the nn.Module that the operator is in, or its full name), or "name.encoder.0" (the
        module's path, where "*" stands for any text). A module's setting applies to all modules
        inside it.
    precision: a key of `PRECISIONS`, FLOAT, or "" to leave it as it is.
    observer: one of `OBSERVERS`, or "".
    """

    where: str
    precision: str = ""
    observer: str = ""

    def __str__(self) -> str:
        return f"{self.where}={','.join(filter(None, (self.precision, self.observer)))}"

    @classmethod
    def of(cls, where: str, how: str) -> Setting:
        """Return the setting for "a16,mse". Raises ConfigError if a part is unknown."""
        precision, observer = "", ""
        for part in how.split(","):
            name = _SHORT_NAMES.get(part, part)
            if name in OBSERVERS and not observer:
                observer = name
            elif (name in PRECISIONS or name == FLOAT) and not precision:
                precision = name
            elif part in (*OBSERVERS, *_SHORT_NAMES, *PRECISIONS, FLOAT):
                raise ConfigError(f"{where}={how}: says twice how", hint="one precision, one observer, or both")
            else:
                raise _unknown(f"{where}={how}", "precision or observer", part, (*_precisions(), FLOAT, *OBSERVERS))
        if precision == FLOAT and observer:
            raise ConfigError(f"{where}={how}: what stays in float needs no observer")
        if precision == FLOAT and where in (INPUTS, OUTPUTS):
            raise ConfigError(
                f"{where}={how}: a recipe cannot say this", hint="--float-io, or ModelSpec(float_io=True)"
            )
        _demand_where(where)
        return cls(where, precision, observer)


@dataclass(frozen=True)
class Recipe:
    """How a model is quantised.

    precision: a key of `PRECISIONS`: "int8", "a16w8" (16-bit activations, 8-bit weights), "a8w4".
        "-per-tensor": one scale for all weights of a layer.
    observer: how the range of an activation is found from the calibration samples. "minmax": all
        values. "histogram": the range with the smallest error of a histogram. "percentile": without
        the outermost values. "mse": the range with the smallest square error.
    settings: exceptions, as `Setting`s or as {"softmax": "a16", "name.head": "int8,minmax"}. If
        several apply to an operator, the last one does.
    percentile: the share of values, in percent, that "percentile" keeps.
    epsilon: the smallest scale. None: 2^-16 for 8 bits, 2^-20 for 16 bits.

    Raises ConfigError for an unknown name or a number out of range.
    """

    precision: str = "int8"
    observer: str = "histogram"
    settings: tuple[Setting, ...] | Mapping[str, str] = ()
    percentile: float = DEFAULT_PERCENTILE
    epsilon: float | None = None

    def __post_init__(self) -> None:
        precision = _SHORT_NAMES.get(self.precision, self.precision)
        if precision not in PRECISIONS:
            raise _unknown(f"recipe {self.precision!r}", "precision", self.precision, _precisions())
        if self.observer not in OBSERVERS:
            raise _unknown(f"observer={self.observer}", "observer", self.observer, OBSERVERS)
        given = self.settings
        pairs: Iterable[Setting] = (
            (Setting.of(where, how) for where, how in given.items()) if isinstance(given, Mapping) else given
        )
        # Each is made anew, because a Setting does not check its fields.
        settings = tuple(Setting.of(*str(setting).split("=", 1)) for setting in pairs)
        if not isinstance(self.percentile, int | float) or not 50 < self.percentile <= 100:
            raise ConfigError(f"percentile={self.percentile}: not above 50 and up to 100", hint="99.99")
        if self.epsilon is not None and not 2.0**-30 <= self.epsilon < 1:
            raise ConfigError(f"epsilon={self.epsilon}: not a scale from 2^-30 to below 1", hint="epsilon=2^-20")
        object.__setattr__(self, "precision", precision)
        object.__setattr__(self, "settings", settings)
        object.__setattr__(self, "percentile", float(self.percentile))

    def __str__(self) -> str:
        """Return the shortest text that `parse` turns into this recipe."""
        settings, presets = list(self.exceptions), []
        while settings and (preset := _preset_of(settings[0])):
            presets.append(f"+{preset}")
            del settings[0]
        options = [f"observer={self.observer}"] * (self.observer != Recipe.observer)
        options += [f"percentile={self.percentile!r}"] * (self.percentile != DEFAULT_PERCENTILE)
        options += [] if self.epsilon is None else [f"epsilon={_number_text(self.epsilon)}"]
        return ":".join([self.precision + "".join(presets), *options, *map(str, settings)])

    @classmethod
    def parse(cls, text: str) -> Recipe:
        """Return the recipe that `text` describes.

        Raises ConfigError that names the part, what exists, and the nearest spelling.
        """
        try:
            return cls._parsed(text.strip())
        except ConfigError as error:
            raise ConfigError(f"recipe {text!r}: {error}", hint=error.hint) from None

    @classmethod
    def _parsed(cls, text: str) -> Recipe:
        head, *items = text.split(":")
        base, *presets = head.split("+")
        base = _SHORT_NAMES.get(base, base)
        if base not in PRECISIONS:
            raise _unknown("", "precision", base, _precisions())
        settings = []
        for preset in presets:
            if preset not in PRESETS:
                raise _unknown("", "preset", f"+{preset}", tuple(f"+{name}" for name in PRESETS))
            where, precision = PRESETS[preset]
            settings.append(Setting(where, precision))
        options: dict[str, str] = {}
        for item in items:
            key, equals, value = item.partition("=")
            if not equals or not key or not value:
                raise ConfigError(f"{item!r} is not WHERE=HOW", hint=_FORM)
            if key in options:
                raise ConfigError(f"{key} is there twice")
            if key in _OPTIONS:
                options[key] = value
            else:
                settings.append(Setting.of(key, value))
        epsilon = _number("epsilon", options["epsilon"]) if "epsilon" in options else None
        percentile = _number("percentile", options["percentile"]) if "percentile" in options else DEFAULT_PERCENTILE
        return cls(base, options.get("observer", Recipe.observer), tuple(settings), percentile, epsilon)

    @property
    def exceptions(self) -> tuple[Setting, ...]:
        """The settings, in order."""
        return tuple(setting for setting in self.settings if isinstance(setting, Setting))

    def with_setting(self, where: str, how: str) -> Recipe:
        """Return this recipe with one more setting, which has precedence over the others."""
        settings = (*self.exceptions, Setting.of(where, how))
        return Recipe(self.precision, self.observer, settings, self.percentile, self.epsilon)


def as_recipe(given: Recipe | str | None) -> Recipe:
    """Return the recipe for what a caller gave: a recipe, its text, or None for the default.

    Raises ConfigError for anything else, and for a wrong text.
    """
    if given is None:
        return Recipe()
    if isinstance(given, Recipe):
        return given
    if isinstance(given, str):
        return Recipe.parse(given)
    raise ConfigError(
        f"quantisation is {type(given).__name__}, not a Recipe", hint='quantisation=Recipe("a16w8"), or its text'
    )


def _preset_of(setting: Setting) -> str:
    return next((name for name, pair in PRESETS.items() if Setting(*pair) == setting), "")


def _precisions() -> tuple[str, ...]:
    return (*PRECISIONS, *_SHORT_NAMES)


def _demand_where(where: str) -> None:
    for prefix, what in ((_BY_TYPE, "the class of a module"), (_BY_NAME, "the path of a module")):
        if where.startswith(prefix):
            if where == prefix or re.search(r"[:=+,\s]", where):
                raise ConfigError(f"{where!r}: after {prefix!r} comes {what}", hint=_FORM)
            return
    if not _OPERATOR.fullmatch(where):
        raise ConfigError(f"{where!r} is not the name of an operator", hint=_FORM)


def _number(key: str, text: str) -> float:
    power = re.fullmatch(r"2(?:\^|\*\*)(-?\d{1,3})", text)
    try:
        return 2.0 ** int(power[1]) if power else float(text)
    except ValueError:
        raise ConfigError(f"{key}={text}: not a number", hint=f"{key}=2^-20" if key == "epsilon" else "") from None


def _number_text(number: float) -> str:
    mantissa, exponent = math.frexp(number)
    return f"2^{exponent - 1}" if mantissa == 0.5 else repr(number)


def _unknown(part: str, kind: str, given: str, known: Iterable[str]) -> ConfigError:
    """Return the error for a name that does not exist, with the nearest one and with all others."""
    names = tuple(known)
    close = difflib.get_close_matches(given, names, n=1)
    where = f"{part}: " if part else ""
    nearest = f"did you mean {close[0]!r}? " if close else ""
    return ConfigError(f"{where}there is no {kind} {given!r}", hint=f"{nearest}there are: {', '.join(names)}")
