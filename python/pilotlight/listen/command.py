# SPDX-License-Identifier: Apache-2.0
"""`west listen` / `pilotlight listen`: stream a WAV to the keyword app and show its keywords."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "listen",
        help="stream a WAV file to the keyword app and show the words it detects",
        description="Stream a WAV to the keyword app (firmware/apps/keyword_spotting) on the target that `west flash` "
        "powered up, at the target's pace, and show what it hears and what that costs.",
    )
    parser.add_argument("-d", "--build-dir", type=Path, default=Path("build"), help="build folder (default: build)")
    parser.add_argument("--wav", type=Path, required=True, metavar="FILE", help="mono, 16 bits, at the model's rate")
    parser.add_argument(
        "--words",
        type=Path,
        metavar="FILE",
        help="label track with the start and end of each spoken word; the report then has latencies and missed words",
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the sound and the detected words, as PNG")
    parser.add_argument(
        "--features", type=Path, metavar="FILE", help="save the device's features and scores, as .npz; slower"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--timeout", type=float, default=3600.0, metavar="S", help="limit for the whole command (default: 3600)"
    )
    parser.set_defaults(handler=_run)
    return parser


def _run(args: argparse.Namespace) -> int:
    # Imported here, so that `pilotlight --help` does not load NumPy and Matplotlib.
    from rich.console import Console
    from rich.live import Live

    from pilotlight.listen import terminal
    from pilotlight.listen.run import Listening, listen

    console = Console(stderr=args.json)
    with Live(console=console, transient=True, auto_refresh=False) as live:

        def show(now: Listening) -> None:
            live.update(terminal.live_table(now.recording, now.labels, now.sound_s), refresh=True)

        heard = listen(args.build_dir, args.wav, args.words, args.timeout, save_features=args.features, show=show)
    if args.picture:
        from pilotlight.files import write_atomically
        from pilotlight.listen.picture import draw

        picture = draw(
            heard.sound,
            heard.recording,
            heard.report,
            heard.description.labels,
            heard.words,
            heard.description.threshold,
        )
        write_atomically(args.picture, picture)
    failure = heard.report.failure
    if args.json:
        print(json.dumps(heard.report.to_json(), indent=2))
        return failure.exit_code if failure else 0
    terminal.render(console, heard.report)
    if failure:
        raise failure
    return 0
