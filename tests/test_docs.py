"""The documents keep pace with the code: what can be checked by a machine is."""

import importlib.metadata
import re
import subprocess
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = re.compile(
    r"(README|CHANGELOG)\.md|docs/(architecture|operating|formats|security)\.md|docs/adr/\d{4}-[a-z-]+\.md"
)
BOX = {entry.name: entry for entry in importlib.metadata.entry_points(group="songshan.commands")}
HUB = {entry.name: entry for entry in importlib.metadata.entry_points(group="songshan_hub.commands")}


def tracked(pattern: str) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", pattern], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    return listed.stdout.split()


def test_there_are_no_documents_but_the_ones_that_somebody_keeps() -> None:
    """A page that nobody keeps is a page that lies."""
    assert [name for name in tracked("*.md") if not ALLOWED.fullmatch(name)] == []


@pytest.mark.parametrize(
    "name", [f"songshan {name}" for name in sorted(BOX)] + [f"songshan-hub {name}" for name in sorted(HUB)]
)
def test_every_command_shows_an_example_in_its_help(name: str) -> None:
    """A technician copies an example; nobody copies a synopsis."""
    program, command = name.split()
    loaded = (BOX if program == "songshan" else HUB)[command].load()
    assert isinstance(loaded, click.Command)
    assert loaded.help
    assert f"{program} {command}" in loaded.help or "Example" in loaded.help


@pytest.mark.parametrize("name", sorted(BOX))
def test_every_command_of_the_box_is_in_the_operating_guide(name: str) -> None:
    """What a technician may call is explained where a technician looks."""
    assert f"songshan {name}" in (ROOT / "docs/operating.md").read_text()


@pytest.mark.parametrize("name", sorted(set(HUB) - {"gate"}))
def test_every_command_of_the_hub_is_in_the_operating_guide(name: str) -> None:
    """What an operator may call is explained where an operator looks."""
    assert f"songshan-hub {name}" in (ROOT / "docs/operating.md").read_text()


def test_the_lock_and_the_documents_hold_no_address_of_a_registry() -> None:
    """Where packages come from is the business of the machine that installs them."""
    address = re.compile(r"https?://(?!127\.0\.0\.1|localhost|www\.w3\.org|example)")
    locks = ("requirements-dev.lock", "package-lock.json", ".npmrc", "pyproject.toml", "Makefile")
    assert [name for name in locks if address.search((ROOT / name).read_text())] == []


def test_links_between_documents_lead_somewhere() -> None:
    """A dead link is a promise that nothing shows."""
    dead = [
        f"{name} -> {target}"
        for name in tracked("*.md")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / name).read_text())
        if not (ROOT / name).parent.joinpath(target).exists()
    ]
    assert dead == []


def test_every_finding_of_the_technical_check_is_in_the_operating_guide() -> None:
    """A code on the screen at night is looked up: it must be there, with what to do."""
    sources = [(ROOT / f"appliance/{name}.py").read_text() for name in ("core/findings", "core/clip", "packaging")]
    named = {code for text in sources for code in re.findall(r'(?:Finding|never)\(\s*"([a-z_]+)"', text)}
    spans = {f"{kind}_{place}" for kind in ("black", "frozen", "silence") for place in ("start", "middle", "end")}
    guide = (ROOT / "docs/operating.md").read_text()
    assert len(named) > 20
    assert {code for code in named | spans if f"`{code}`" not in guide} == set()
