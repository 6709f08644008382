"""A gate that confined itself: what it still reaches of the hub, and what it does not any more."""

import subprocess
import sys
from pathlib import Path

import pytest

from appliance.config import ChannelConfig
from provisioning.hub import enrolment
from tests.provisioning.live import LiveHub

TRIES = """
import sys
from pathlib import Path
from provisioning.hub.confine import confine
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.hub.library import Library
from provisioning.hub.sites import site_of
from appliance.core.asset import Asset
from appliance.core.records import Receipt
from appliance.core.errors import Text

folder = HubFolder(Path(sys.argv[1]))
assert confine(folder, "dengfeng")
def tried(what, act):
    try:
        act()
        print(what, "yes")
    except PermissionError:
        print(what, "no")
hub = folder.path
tried("own", lambda: site_of(folder, "dengfeng"))
tried("write", lambda: (folder.site("dengfeng").path / "status.json").write_text("{}"))
receipt = Receipt("a", "b", "accepted", Text("", ""))
tried("sign", lambda: HubJournals(folder).append("dengfeng/control", "receipt", "x", receipt))
tried("all", lambda: HubJournals(folder).append("all/content", "receipt", "x", receipt))
tried("link", lambda: Library(folder).let_read("dengfeng", [Asset("sha256:" + sys.argv[2], 1)]))
tried("theirs", lambda: site_of(folder, "zhongmu"))
tried("keep", lambda: (folder.site("dengfeng").path / "status.json").rename(folder.backups_of("dengfeng") / "x"))
tried("their backups", lambda: (folder.backups_of("zhongmu") / "x").read_bytes())
tried("their journal", lambda: (folder.stream("zhongmu/control") / "1.records").read_bytes())
tried("their report", lambda: (folder.stream("zhongmu/report") / "x").write_bytes(b""))
tried("their folder", lambda: (folder.site("zhongmu").incoming / "x").write_bytes(b""))
tried("claims", lambda: next(folder.claims.iterdir()).read_bytes())
tried("settings", lambda: folder.settings_file.write_text(""))
tried("key", lambda: folder.sign_key.write_text(""))
tried("outside", lambda: Path(sys.argv[3]).write_text(""))
"""


def test_a_gate_reaches_its_own_site_and_no_other(quiet_hub: LiveHub, tmp_path: Path) -> None:
    """A hole in what parses a box's words must not open the fifteen other counties."""
    folder = quiet_hub.folder
    for site in ("dengfeng", "zhongmu"):
        channels = (ChannelConfig(f"{site}-1", site),)
        enrolment.enrol(folder, site, site, "Asia/Shanghai", channels, True, 1, folder.now_us())
    quiet_hub.run("order", "zhongmu", "--title", "只给中牟")
    folder.backups_of("zhongmu").mkdir(parents=True)
    (folder.backups_of("zhongmu") / "x").write_bytes(b"x")
    source = tmp_path / "x"
    source.write_bytes(b"x")
    digest = quiet_hub.run("publish", "--asset-only", str(source)).split()[0]
    argv = [sys.executable, "-c", TRIES, str(folder.path), digest[7:], str(tmp_path / "outside")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[3])
    if "assert confine" in done.stderr:
        pytest.skip("this kernel has no landlock")
    assert dict(line.rsplit(" ", 1) for line in done.stdout.splitlines()) == {
        **dict.fromkeys(("own", "write", "sign", "all", "link", "keep"), "yes"),
        **dict.fromkeys(("theirs", "their backups", "their journal", "their report", "their folder", "claims"), "no"),
        **dict.fromkeys(("settings", "key", "outside"), "no"),
    }, done.stderr
    assert (folder.site("dengfeng").readable / digest[7:]).is_file()
