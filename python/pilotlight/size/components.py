# SPDX-License-Identifier: Apache-2.0
"""Finds the component of an object file by its path in the linker's map."""

from __future__ import annotations

import re

MODEL = "model"
RUNTIME = "runtime core"
VERIFIER = "verifier"
APP = "app"
PADDING = "padding"

# The first match wins. Patterns are searched in the object's path as the map prints it.
_COMPONENTS = (
    (VERIFIER, r"libpilotlight_executorch\.a\(\w*verifier"),
    (RUNTIME, r"libpilotlight_executorch\.a"),
    ("kernels", r"libpilotlight_kernels\.a|generated/(operators|selected)|_models\.dir/Unity/"),
    (MODEL, r"_models\.dir/.*generated/"),
    ("delegate", r"libpilotlight_ethos_u\.a\((backend|blob)"),
    ("driver", r"libpilotlight_ethos_u\.a"),
    ("model API", r"libpilotlight_model\.a"),
    ("protocol", r"libpilotlight_(protocol|console_session)\.a"),
    ("platform", r"libpilotlight_(platform|port|base|no_heap)\.a|firmware/platform"),
    (
        "C and C++ library",
        r"/lib(c|c_nano|g|g_nano|m|gcc|gcc_eh|stdc\+\+|stdc\+\+_nano|supc\+\+|nosys|rdimon)(_nonshared)?\.a"
        r"|/(r?crt[01in]|S?crt1|crt(begin|end)\w*)\.o",
    ),
    ("linker", r"^linker stubs$"),
)
_ARCHIVE = re.compile(r"lib([^/]+)\.a\(")
_MEMBER = re.compile(r"\(([^()]+)\)$")
# Sources that CMake joined (cmake/join_sources.cmake), by group or number.
_JOINED = re.compile(r"^unity_(\w+)_c(xx)?\.c(xx)?$")
_OBJECT_SUFFIX = re.compile(r"\.(obj|o)$")


def component_of(path: str) -> str:
    """Return the component. Each other library is its own component; all other objects are the app.

    >>> component_of("build/firmware/executorch/libpilotlight_executorch.a(method.cpp.obj)")
    'runtime core'
    >>> component_of("main.o")
    'app'
    >>> component_of("CMakeFiles/firmware_models.dir/Unity/unity_0_cxx.cxx.obj")
    'kernels'
    >>> component_of("/opt/dsp/libcmsisdsp.a(fft.o)"), component_of("")
    ('cmsisdsp', 'padding')
    """
    if not path:
        return PADDING
    found = next((name for name, pattern in _COMPONENTS if re.search(pattern, path)), None)
    if found is None and (archive := _ARCHIVE.search(path)):
        return archive[1]
    return found or APP


def file_of(path: str) -> str:
    """Return the source file's name, derived from the object's path.

    >>> file_of("a/libx.a(method.cpp.obj)"), file_of("CMakeFiles/m.c.obj")
    ('method.cpp', 'm.c')
    >>> file_of("/usr/lib/libc.a(libc_a-memcpy.o)")
    'libc_a-memcpy'
    >>> file_of("a/libx.a(unity_tensor_cxx.cxx.obj)")
    'joined sources: tensor'
    """
    member = _MEMBER.search(path)
    name = _OBJECT_SUFFIX.sub("", member[1] if member else path.rsplit("/", 1)[-1])
    return _JOINED.sub(r"joined sources: \1", name)
