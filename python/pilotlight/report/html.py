# SPDX-License-Identifier: Apache-2.0
"""A check as one HTML file: nothing to fetch, pictures inside."""

from __future__ import annotations

import base64
from pathlib import Path

import jinja2

from pilotlight.check.record import CheckReport
from pilotlight.files import write_atomically
from pilotlight.report import pictures, wording


def write_html(report: CheckReport, path: Path) -> None:
    """Write the report to `path`."""
    drawn: list[tuple[str, str]] = []
    if report.observations is not None:
        seen = report.observations
        for caption, png in (
            (
                "Inputs, and what the device answered (orange: wrong class; red: not the golden output)",
                pictures.gallery(seen),
            ),
            ("Label against the device's answer", pictures.confusion(seen)),
            ("Duration of an inference", pictures.latency(seen)),
        ):
            if png is not None:
                drawn.append((caption, base64.b64encode(png).decode("ascii")))
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
        pictures=drawn,
        hints=[error.hint for error in report.objections if error.hint],
    )
    write_atomically(path, page)
