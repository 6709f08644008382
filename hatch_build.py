"""Build hook: what is made, not written. Front-end libraries from npm, and compiled message catalogues.

Runs for wheels and for editable installs alike, so both serve the same files. Libraries come by the locked
package.json;
the lock holds no address, npm asks the registry it is set up for.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from babel.messages import mofile, pofile
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NPM_TIMEOUT_S = 300
VENDORED = {
    "hls.js/dist/hls.light.min.js": "hls.light.min.js",
    "hls.js/dist/hls.worker.js": "hls.worker.js",
    "hls.js/LICENSE": "hls.LICENSE.txt",
}


class MadeFiles(BuildHookInterface):  # type: ignore[type-arg]
    """Fills appliance/web/static/vendor and compiles every .po beside itself."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        vendor(root)
        compile_catalogues(root)


def vendor(root: Path) -> None:
    """Copy the front-end libraries into the static folder, fetching them first where they are not there."""
    modules = root / "node_modules"
    target = root / "appliance" / "web" / "static" / "vendor"
    if not all((modules / source).is_file() for source in VENDORED):
        npm = shutil.which("npm")
        if npm is None:
            raise SystemExit("npm is missing: apt-get install npm")
        subprocess.run([npm, "ci", "--no-progress"], cwd=root, check=True, timeout=NPM_TIMEOUT_S)
    target.mkdir(parents=True, exist_ok=True)
    for source, name in VENDORED.items():
        shutil.copyfile(modules / source, target / name)


def compile_catalogues(root: Path) -> None:
    """Compile every catalogue of the four packages to the .mo that gettext reads."""
    for package in ("appliance", "edge_agent", "tui", "provisioning"):
        for catalogue in (root / package).rglob("*.po"):
            with catalogue.open("rb") as source:
                messages = pofile.read_po(source)
            with catalogue.with_suffix(".mo").open("wb") as target:
                mofile.write_mo(target, messages)
