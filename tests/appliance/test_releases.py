"""The links of the releases, and what is asked of whoever may change them."""

import os
import stat
from pathlib import Path

import msgspec
import pytest

from appliance import releases
from appliance.config import Config
from appliance.core.errors import OperatorError, WorldError
from appliance.core.release import Release, Request, Upgrade
from tests.appliance.boxes import box, dies


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return box(tmp_path)


def install(config: Config, version: str) -> None:
    folder = releases.folder_of(config, version)
    folder.mkdir(parents=True)
    (folder / releases.MARK).write_bytes(msgspec.json.encode(Release(version=version)))


def test_a_box_without_releases_says_so_quietly(config: Config) -> None:
    """As every box in a home of its own."""
    seen = releases.releases(config)
    assert (seen.current, seen.there, seen.problem, seen.upgrade.state) == ("", (), None, "idle")


def test_a_link_is_the_old_or_the_new_wherever_the_switch_is_killed(config: Config) -> None:
    """There is no moment without software."""
    install(config, "1.0")
    install(config, "1.1")
    seen = []
    for step in range(1, 20):
        releases.point(config, "current", "1.0")
        killed = dies(lambda: releases.point(config, "current", "1.1"), step)
        seen.append(releases.linked(config, "current"))
        if not killed:
            break
    assert set(seen) == {"1.0", "1.1"} and seen[-1] == "1.1"


def test_a_link_that_leads_elsewhere_names_nothing(config: Config) -> None:
    """What units start must lie among the releases."""
    config.releases.mkdir(parents=True)
    os.symlink("/usr", config.releases / "current")
    assert releases.linked(config, "current") == ""
    with pytest.raises(OperatorError):
        releases.folder_of(config, "../../etc")


def test_a_release_that_is_not_whole_is_a_problem(config: Config) -> None:
    """The mark is written last."""
    install(config, "1.0")
    releases.point(config, "current", "1.0")
    assert releases.releases(config).problem is None
    (releases.folder_of(config, "1.0") / releases.MARK).unlink()
    assert releases.releases(config).problem is not None


def test_a_journal_that_cannot_be_read_is_told_and_not_taken_for_none(config: Config) -> None:
    """Half an upgrade must not look like no upgrade."""
    config.releases.mkdir(parents=True)
    releases.keep(config, Upgrade(state="verifying", new="1.1"))
    assert releases.releases(config).upgrade.new == "1.1"
    (config.releases / releases.JOURNAL).write_text("{")
    assert releases.releases(config).problem is not None
    assert releases.release_fact(config).problem is not None


def test_requests_wait_in_order_and_only_the_boxs_user_may_ask(config: Config) -> None:
    """The web server's user is in the group, and this folder is not for the group."""
    for number, do in enumerate(("apply", "rollback")):
        releases.ask(config, Request(do=do, by="王工", reason="夜间", at_us=number))  # type: ignore[arg-type]
    assert [request.do for _path, request in releases.waiting(config) if isinstance(request, Request)] == [
        "apply",
        "rollback",
    ]
    assert stat.S_IMODE(config.requests.stat().st_mode) == 0o700
    assert [each.do for each in releases.releases(config).waiting] == ["apply", "rollback"]


def test_what_is_no_request_is_told_as_such(config: Config) -> None:
    """Links, pipes and rubbish in a folder that others write."""
    with pytest.raises(OperatorError):
        releases.ask(config, Request(do="rollback", by="王工", reason=" ", at_us=1))
    with pytest.raises(OperatorError):
        releases.ask(config, Request(do="stage", by="王工", reason="", at_us=1, bundle="usb/x"))
    config.requests.mkdir()
    os.mkfifo(config.requests / "1")
    os.symlink("/etc/passwd", config.requests / "2")
    (config.requests / "3").write_text("{}")
    assert [type(found).__name__ for _path, found in releases.waiting(config)] == ["Text"] * 3
    assert releases.releases(config).waiting == ()
    for name, _found in releases.waiting(config):
        releases.forget(config, name)
    assert releases.waiting(config) == [] and Path("/etc/passwd").exists()


def test_a_folder_of_requests_that_leads_elsewhere_is_not_followed(config: Config, tmp_path: Path) -> None:
    """Root takes files away here; whoever has the agent's user could else make it take away any."""
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "precious").write_text("x")
    os.symlink(tmp_path / "else", config.requests)
    assert releases.waiting(config) == []
    with pytest.raises(WorldError):
        releases.forget(config, "precious")
    assert (tmp_path / "else" / "precious").exists()
