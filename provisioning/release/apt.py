"""Debian packages with all that they need, resolved by apt in a root of its own: the machine's own apt is not touched.

    fetch_packages(root, into, suite, wanted)    into/*.deb: what a bare Debian lacks for `wanted`, and nothing older

A bare Debian is what debootstrap calls minbase: what is essential or required, and apt. What of that a fetched package
wants in a certain version is fetched too, for a machine may have been installed from an older point release.
"""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from appliance.core.errors import OperatorError, Text, WorldError
from appliance.durable import disk_errors

TIMEOUT_S: Final = 1800.0
SOURCES: Final = Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d")
RELEASES: Final = re.compile(r"\b(bullseye|bookworm|trixie|forky)\b")
"""A machine of another release has the same mirrors: its words are read as the suite's."""
_INSTALL: Final = re.compile(r"^Inst (\S+) \((\S+) ", re.MULTILINE)
_TIED: Final = re.compile(r"([a-z0-9][a-z0-9+.-]+)(?::\w+)? \((=|>=|>>) ([^)]+)\)")


def fetch_packages(root: Path, into: Path, suite: str, wanted: Iterable[str]) -> None:
    """Fill a folder with the packages; those of another time go. Raises OperatorError, WorldError."""
    with disk_errors(root):
        _make_root(root, suite)
    _apt(root, "apt-get", "update")
    required = [*_required(root), "apt"]
    bare = _resolved(root, required)
    whole = _resolved(root, [*required, *wanted])
    stanzas = _stanzas(root, whole)
    files = {_file_name(stanzas[name]): name for name in lacking(bare, whole, stanzas)}
    with disk_errors(into):
        into.mkdir(parents=True, exist_ok=True)
        for path in into.iterdir():
            if path.name not in files or not _is_whole(path, stanzas[files[path.name]]):
                path.unlink()
        names = [f"{name}={whole[name]}" for file, name in files.items() if not (into / file).exists()]
        if names:
            _apt(root, "apt-get", "download", *names, folder=into)
        damaged = [file for file, name in files.items() if not _is_whole(into / file, stanzas[name])]
    if damaged:
        raise WorldError(Text(f"软件包未取到：{damaged[0]}", f"a package did not come: {damaged[0]}"))


def lacking(bare: Mapping[str, str], whole: Mapping[str, str], stanzas: Mapping[str, Mapping[str, str]]) -> set[str]:
    """What goes into the bundle of all that is needed: what a bare Debian has not, and what that is tied to; pure."""
    chosen = {name for name, version in whole.items() if bare.get(name) != version}
    waiting = list(chosen)
    while waiting:
        more = tied_to(stanzas[waiting.pop()], bare) - chosen
        chosen |= more
        waiting += more
    return chosen


def tied_to(stanza: Mapping[str, str], bare: Mapping[str, str]) -> set[str]:
    """What of a bare Debian a package wants in a version that an older point release may not have."""
    wants = f"{stanza.get('Pre-Depends', '')}, {stanza.get('Depends', '')}"
    return {
        name
        for name, relation, version in _TIED.findall(wants)
        if name in bare and (relation == "=" or "+deb" in version or "~deb" in version)
    }


def _make_root(root: Path, suite: str) -> None:
    """What apt needs of its own: the machine's sources and keys, and a state in which nothing is installed."""
    for name in ("etc/sources.list.d", "state/lists/partial", "cache/archives/partial"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "status").touch()
    shutil.rmtree(root / "etc/sources.list.d")
    (root / "etc/sources.list.d").mkdir()
    found = [SOURCES[0], *sorted(SOURCES[1].glob("*.sources")), *sorted(SOURCES[1].glob("*.list"))]
    texts = [(path, path.read_text()) for path in found if path.is_file()]
    debian = [(path, text) for path, text in texts if RELEASES.search(text)]
    if not debian:
        raise OperatorError(Text("本机没有 Debian 软件源", "this machine has no Debian sources"))
    for path, text in debian:
        (root / "etc/sources.list.d" / path.name).write_text(RELEASES.sub(suite, text))


def _required(root: Path) -> list[str]:
    """By name, what debootstrap installs at least."""
    said = _apt(root, "apt-cache", "dumpavail")
    return sorted(
        {
            stanza["Package"]
            for stanza in parse_stanzas(said)
            if stanza.get("Priority") == "required" or stanza.get("Essential") == "yes"
        }
    )


def _resolved(root: Path, names: Iterable[str]) -> dict[str, str]:
    """What apt would install for these on a machine that has nothing: name and version."""
    return dict(_INSTALL.findall(_apt(root, "apt-get", "--simulate", "install", *names)))


def _stanzas(root: Path, versions: Mapping[str, str]) -> dict[str, dict[str, str]]:
    said = _apt(root, "apt-cache", "show", *(f"{name}={version}" for name, version in versions.items()))
    return {stanza["Package"]: stanza for stanza in parse_stanzas(said)}


def parse_stanzas(text: str) -> Iterator[dict[str, str]]:
    """Fields of each paragraph that fit on one line (deb822(5)); the rest is not needed."""
    for paragraph in text.split("\n\n"):
        pairs = [line.partition(": ") for line in paragraph.splitlines() if not line.startswith(" ")]
        if any(name == "Package" for name, _, _ in pairs):
            yield {name: value for name, _, value in pairs}


def _file_name(stanza: Mapping[str, str]) -> str:
    """As `apt-get download` calls it."""
    version = stanza["Version"].replace(":", "%3a")
    return f"{stanza['Package']}_{version}_{stanza['Architecture']}.deb"


def _is_whole(path: Path, stanza: Mapping[str, str]) -> bool:
    if not path.is_file() or path.stat().st_size != int(stanza["Size"]):
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == stanza["SHA256"]


def _apt(root: Path, program: str, *words: str, folder: Path | None = None) -> str:
    """In the root of our own; what it printed."""
    options = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": f"{root}/etc/sources.list.d",
        "Dir::State": f"{root}/state",
        "Dir::State::status": f"{root}/status",
        "Dir::Cache": f"{root}/cache",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "",
        "APT::Get::Assume-Yes": "true",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    argv = [program, *(word for name, value in options.items() for word in ("-o", f"{name}={value}")), *words]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode != 0:
        said = done.stderr.strip()[-1000:]
        raise WorldError(Text(f"{program} {words[0]}：{said}", f"{program} {words[0]}: {said}"))
    return done.stdout
