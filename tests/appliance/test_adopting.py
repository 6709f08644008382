"""The first release of a box: whatever installed it, upgrades begin from it as from any other."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from appliance import releases, staging
from appliance.adopting import adopt
from appliance.command import songshan
from appliance.config import Config, unjoined
from appliance.core.errors import OperatorError, Refused
from appliance.core.release import Upgrade
from tests.appliance.boxes import HUB, box, dies

NOW_US = 1_795_500_000_000_000


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A machine on which an environment was made, and that belongs to nobody yet."""
    config = unjoined(tmp_path)
    releases.folder_of(config, "1.2.0").mkdir(parents=True)
    return config


def test_what_was_installed_runs_is_trusted_and_knows_its_hub(config: Config) -> None:
    """What `songshan upgrade` would have made; and a second time nothing is changed."""
    folder = releases.folder_of(config, "1.2.0")
    assert adopt(config, folder, HUB.sign_key, NOW_US) == ("1.2.0", True)
    seen = releases.releases(config)
    assert (seen.current, seen.trusted, seen.previous, seen.problem) == ("1.2.0", "1.2.0", "", None)
    assert [each.version for each in seen.there] == ["1.2.0"]
    joined = box(config.home, hub=replace(HUB, sign_key="of another"))
    assert staging.trusted_key(joined) == HUB.sign_key
    assert adopt(config, folder, HUB.sign_key, NOW_US + 1) == ("1.2.0", False)


def test_killed_anywhere_the_same_again_finishes_it(config: Config) -> None:
    """The power of a new machine is cut like any other's; what runs is there only when its judge is."""
    folder = releases.folder_of(config, "1.2.0")
    for step in range(1, 60):
        killed = dies(lambda: adopt(config, folder, HUB.sign_key, NOW_US), step)
        seen = releases.releases(config)
        assert not seen.current or (seen.trusted and seen.there), step
        if not killed:
            break
    assert (seen.current, seen.trusted) == ("1.2.0", "1.2.0")
    assert step > 3


def test_what_runs_already_is_not_set_aside(config: Config) -> None:
    """Another release comes through the gate, or not at all."""
    adopt(config, releases.folder_of(config, "1.2.0"), "", NOW_US)
    releases.folder_of(config, "1.3.0").mkdir()
    with pytest.raises(Refused, match=r"runs 1\.2\.0 already"):
        adopt(config, releases.folder_of(config, "1.3.0"), "", NOW_US)
    releases.keep(config, Upgrade(state="verifying", new="1.3.0"))
    with pytest.raises(Refused):
        adopt(config, releases.folder_of(config, "1.2.0"), "", NOW_US)


def test_only_what_lies_among_the_releases_is_taken(config: Config, tmp_path: Path) -> None:
    """A clone, an environment in somebody's home: links must not lead there. A key that is none is refused too."""
    done = CliRunner().invoke(songshan, ["--home", str(tmp_path), "upgrade", "adopt"])
    assert isinstance(done.exception, Refused) and str(Path(sys.prefix).resolve()) in str(done.exception)
    with pytest.raises(OperatorError):
        adopt(config, releases.folder_of(config, "1.2.0"), "no key", NOW_US)
    assert releases.linked(config, "current") == ""
