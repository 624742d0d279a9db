# SPDX-License-Identifier: Apache-2.0
"""A Debian release in a folder: made by debootstrap, entered by chroot, then removed.

    python tests/systems/debian.py trixie [--whole] [--keep]   the README's commands on Debian 13

Needs root and the package debootstrap. Each command runs in its own mount and process namespaces,
so the mounts and processes of a command end with the command. pip inside gets the host's settings
for indexes, wheels and certificates, and pytest gets PYTEST_ADDOPTS. No other files of the host are
visible.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from page import blocks

ROOT = Path(__file__).resolve().parents[2]
SYSTEMS = ROOT / "build" / "systems"
CHECKOUT = "/opt/pilotlight"

_CERTIFICATES = "/etc/host-certificates.pem"
_NAMES_OF_CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")

# $1: the system's folder. $2: the command. The remaining arguments are pairs: a host folder, and
# its read-only place in the system.
_ENTER = """
set -e
root=$1 command=$2
shift 2
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
while [ $# -gt 0 ]; do
  mkdir -p "$root$2"
  mount --bind "$1" "$root$2"
  mount -o remount,ro,bind "$root$2"
  shift 2
done
exec chroot "$root" /bin/bash -c "$command"
"""


def why_not_here() -> str:
    """Return why this machine cannot make a system, or ""."""
    if os.geteuid() != 0:
        return "debootstrap and chroot need root"
    if shutil.which("debootstrap") is None:
        return "debootstrap is not installed (scripts/setup.sh --campaign installs it)"
    return ""


@dataclass
class DebianSystem:
    """One release. `suite`: Debian's name of it. `packages`: what the minimal system lacks."""

    suite: str
    packages: tuple[str, ...] = ()
    shown: dict[Path, str] = field(default_factory=dict)
    """Folders of this machine that are visible in the system, read-only, and where."""

    @property
    def root(self) -> Path:
        return SYSTEMS / self.suite

    def create(self) -> None:
        """Remove the system and make it again."""
        self.remove()
        self.root.mkdir(parents=True)
        command = ["debootstrap", "--variant=minbase"]
        command += [f"--include={','.join(self.packages)}"] if self.packages else []
        subprocess.run([*command, self.suite, str(self.root)], check=True)
        shutil.copy("/etc/resolv.conf", self.root / "etc" / "resolv.conf")
        if certificates := next(filter(None, map(os.environ.get, _NAMES_OF_CERTIFICATES)), None):
            shutil.copy(certificates, self.root / _CERTIFICATES.lstrip("/"))

    def remove(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    def clone(self) -> None:
        """Clone this repository's HEAD to CHECKOUT."""
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), f"{self.root}{CHECKOUT}"], check=True)

    def run(self, command: str) -> int:
        """Run a shell command in the system as root. The output is ours. Return the exit code."""
        shown = [str(part) for pair in {**self._wheels(), **self.shown}.items() for part in pair]
        enter = ["bash", "-c", _ENTER, "enter", str(self.root), command, *shown]
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        return subprocess.run([*namespaces, *enter], env=self._environment(), check=False).returncode

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "PYTEST_"))}
        if (self.root / _CERTIFICATES.lstrip("/")).exists():
            kept |= dict.fromkeys(_NAMES_OF_CERTIFICATES, _CERTIFICATES)
        return {**kept, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}

    def _wheels(self) -> dict[Path, str]:
        folders = (Path(place) for place in os.environ.get("PIP_FIND_LINKS", "").split())
        return {folder: str(folder) for folder in folders if folder.is_dir()}


# Packages that the README assumes. The project's scripts install everything else.
README_SYSTEM = ("ca-certificates", "git")
# The command that the README tells a newcomer to type for the clone.
FIRST_PASS = next(block.text for block in blocks(ROOT / "README.md") if block.title == "first-pass").splitlines()
DEMO = " && ".join((f"cd {Path(CHECKOUT).parent}", "cat /etc/debian_version", *FIRST_PASS))
QUICK_TESTS = f"cd {CHECKOUT} && scripts/test.sh --quick"
ALL_TESTS = f"cd {CHECKOUT} && scripts/test.sh"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", help="bookworm, trixie, ...")
    parser.add_argument("--whole", action="store_true", help="all tests, not a representative part of them")
    parser.add_argument("--keep", action="store_true", help="leave the system in its folder (some 8 GB)")
    args = parser.parse_args()
    if reason := why_not_here():
        print(f"cannot make a system here: {reason}", file=sys.stderr)
        return 30
    system = DebianSystem(args.suite, README_SYSTEM)
    system.create()
    system.clone()
    code = 0
    for command in (DEMO, ALL_TESTS if args.whole else QUICK_TESTS):
        print(f"\n== {args.suite}: {command}", flush=True)
        code = code or system.run(command)
    if not args.keep:
        system.remove()
    return code


if __name__ == "__main__":
    sys.exit(main())
