# SPDX-License-Identifier: Apache-2.0
"""Writes a check report as one HTML file that contains its pictures."""

from __future__ import annotations

import base64
from pathlib import Path

import jinja2

from pilotlight.check import pictures, wording
from pilotlight.check.record import CheckReport, ModelReport
from pilotlight.files import write_atomically


def write_html(report: CheckReport, path: Path) -> None:
    """Write the report to `path`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("check.html.j2").render(
        report=report,
        wording=wording,
        pictures={model.model: _pictures(model, wording.INFERENCE_CLOCK[report.clock]) for model in report.models},
        hints=[error.hint for error in report.objections if error.hint],
    )
    write_atomically(path, page)


def _pictures(model: ModelReport, clock: str) -> list[tuple[str, str]]:
    """Return pairs of caption and PNG in base64."""
    seen = model.observations
    if seen is None:
        return []
    gallery = "Inputs and the device's answers (orange: wrong class; red: differs from the golden output)"
    drawn = (
        (gallery, pictures.gallery(seen)),
        ("Label against the device's answer", pictures.confusion(seen)),
        ("Duration of an inference", pictures.latency(seen, clock)),
    )
    return [(caption, base64.b64encode(png).decode("ascii")) for caption, png in drawn if png is not None]
