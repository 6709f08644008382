"""A reset takes away what it says and nothing else, and where it is cut off it is finished."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from appliance import resetting
from appliance.alone import only_one
from appliance.config import Config, Limits, load, render
from appliance.durable import STAGED_SUFFIX
from edge_agent.command import finish_restore
from tests.appliance.boxes import dies
from tests.appliance.test_backup import made

SONGSHAN = str(Path(sys.executable).with_name("songshan"))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A box with something in each of its folders."""
    config = made(tmp_path / "box")
    for folder in ("media/ab", "library", "drop", "spool/new", "public", "backups", "opt/releases"):
        (config.home / folder).mkdir(parents=True, exist_ok=True)
        (config.home / folder / "x").write_text("x")
    return config


def left(home: Path) -> set[str]:
    return {path.name for path in home.iterdir() if path.suffix != STAGED_SUFFIX} - {"run"}


def songshan(config: Config, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SONGSHAN_LANG": "en"}
    argv = [SONGSHAN, "--home", config.home, "reset", *arguments, "--reason", "移机"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=env)


def test_options_go_back_and_the_box_stays_who_it_is(config: Config) -> None:
    """A timetable or a limit that somebody got wrong; site, hub and channels are not options."""
    (config.home / "appliance.toml").write_text(render(replace(config, limits=Limits(catchup_days=3))))
    resetting.to_defaults(config.home)
    now = load(config.home, {})
    assert now.limits == Limits()
    assert (now.site, now.hub, now.channels) == (config.site, config.hub, config.channels)


@pytest.mark.parametrize(
    ("level", "with_media", "stays"),
    [
        ("keys", False, {"state", "media", "library", "drop", "spool", "public", "backups", "opt"}),
        ("all", False, {"media", "library", "drop", "opt"}),
        ("all", True, {"opt"}),
    ],
)
def test_each_level_takes_what_it_says_wherever_it_is_cut_off(
    config: Config, tmp_path: Path, level: str, with_media: bool, stays: set[str]
) -> None:
    """The agent's next start, or the same command, finishes it; the software always stays."""
    shutil.copytree(config.home, tmp_path / "pristine")
    for step in range(1, 60, 7):
        shutil.rmtree(config.home)
        shutil.copytree(tmp_path / "pristine", config.home)
        killed = dies(
            lambda: resetting.begin(config.home, level, with_media=with_media),  # type: ignore[arg-type]
            step,
        )
        finish_restore(config.home)
        found = left(config.home) - {".reset"}
        assert found in (stays, stays | left(tmp_path / "pristine")), f"killed at {step}"
        if not killed:
            break
    assert left(config.home) == stays


def test_a_disk_that_a_link_leads_to_is_not_emptied(config: Config, tmp_path: Path) -> None:
    """`public` is a link where the media have a disk of their own."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "film").write_text("x")
    shutil.rmtree(config.public)
    config.public.symlink_to(tmp_path / "disk")
    resetting.begin(config.home, "all", with_media=False)
    assert (tmp_path / "disk" / "film").exists() and not config.public.is_symlink()


def test_it_wants_the_site_typed_and_the_agent_stopped(config: Config) -> None:
    """One word from the wrong window must not do it."""
    wrong = songshan(config, "all", "--site", "xinmi")
    assert (wrong.returncode, "nothing was changed" in wrong.stderr) == (1, True)
    assert str(config.keys) in wrong.stdout
    with only_one(config.run, config.home):
        assert songshan(config, "all", "--site", "dengfeng").returncode == 1
    assert config.database.exists() and config.sign_key.exists()
    done = songshan(config, "keys", "--site", "dengfeng")
    assert done.returncode == 0, done.stderr
    assert not config.keys.exists() and config.database.exists()
    assert any(b'"did"' in path.read_bytes() for path in (config.spool / "new").iterdir())
