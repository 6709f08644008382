"""What root does in a box's folder, it does as the box's user: a link that lies there leads it nowhere."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import upgrading
from appliance.as_owner import as_owner_of
from appliance.config import Config
from appliance.core.errors import Refused, Text, WorldError
from tests.appliance.test_upgrading import config as config
from tests.appliance.test_upgrading import links, machine, staged

pytestmark = pytest.mark.root
NOBODY = 65534


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """One that other users may walk through."""
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def given_away(home: Path) -> None:
    """The box belongs to somebody who is not root; its software does not."""
    for path in (home, *home.rglob("*")):
        if "opt" not in path.relative_to(home).parts:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def test_a_link_to_a_file_of_roots_is_not_written_through(tmp_path: Path) -> None:
    """And what the child could not do is said in its words."""
    home, precious = tmp_path / "home", tmp_path / "precious"
    home.mkdir()
    precious.write_text("as it was")
    (home / "link").symlink_to(precious)
    given_away(home)

    def write() -> None:
        (home / "link").write_text("overwritten")

    def refuse() -> None:
        raise Refused(Text("不行", "it cannot be"))

    with pytest.raises(WorldError):
        as_owner_of(home, write)
    assert precious.read_text() == "as it was"
    with pytest.raises(WorldError, match="it cannot be"):
        as_owner_of(home, refuse)
    as_owner_of(home, lambda: (home / "mine").touch())
    assert (home / "mine").stat().st_uid == NOBODY and os.geteuid() == 0


def test_root_upgrades_and_goes_back_and_leaves_nothing_of_its_own_in_the_box(config: Config) -> None:
    """The agent that starts again must be able to write what lies there."""
    staged(config, "1.3-broken-and-changes-tables")
    given_away(config.home)
    upgrading.begin_apply(config, "王工", "x", config.clock.wall_us())
    done = upgrading.carry_on(config, machine(config))
    assert (done.state, done.restored, links(config)[0]) == ("rolled_back", True, "1.0")
    state = config.database.parent
    made = {path.name: path.stat().st_uid for path in state.iterdir() if path.name.startswith(("before", "after"))}
    assert made == {
        "before-1.3-broken-and-changes-tables.db": NOBODY,
        "after-1.3-broken-and-changes-tables.db": NOBODY,
    }
