"""The page of the commands that wait; and the way of a command through the door, with a real spool."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance import spool
from appliance.core.command import Take
from appliance.core.errors import OperatorError, SongshanError, Text
from appliance.store.database import writing
from appliance.store.desk import carry_out
from tests.tui.boxes import make_box, run_agent_once
from tests.tui.looks import Before, seen, with_faults
from tests.tui.readings import NOW_US
from tui.gather.box import look_at
from tui.gather.door import Door
from tui.gather.given import gather
from tui.gather.where import where
from tui.pages import page_named
from tui.view.given import Found, Waiting
from tui.view.sheet import Asked

NAME = f"{NOW_US - 90 * 10**6:020d}-0a1b2c3d4e5f"
GIVEN = Waiting(NAME, "take", "张三 (admin)", NOW_US - 90 * 10**6, "i-2026-0031", "今晚要播")
BROKEN = Waiting(
    f"{NOW_US:020d}-0a1b2c3d4e60", "?", "?", NOW_US, "", "", Text("命令格式不对", "not a command: truncated")
)
FOUND = Found((GIVEN, BROKEN), 2)
STATES = {
    **with_faults(FOUND, FOUND, no_configuration=None),
    "nothing waits": seen(Found()),
    "searched": seen(FOUND, asked=Asked(words="take")),
    "one opened": seen(FOUND, asked=Asked(opened=NAME)),
    "one that is none opened": seen(FOUND, asked=Asked(opened=BROKEN.name)),
    "done since": seen(Found(), asked=Asked(opened=NAME)),
}


def test_the_page_looks_as_it_did(as_before: Before) -> None:
    """Every state in both languages, both sizes and both sets of glyphs."""
    as_before("given", STATES)


def take(number: int) -> Take:
    return Take(item=f"i-2026-{number:04d}", by="zhang (admin)", via="tui", at="2026-11-24T06:03:00Z", reason="news")


def test_a_command_waits_while_the_agent_is_away_and_is_followed_until_it_is_done(tmp_path: Path) -> None:
    """Without agent and without database: it lies in the spool, and the screens say so."""
    config = make_box(tmp_path)
    door = Door(tmp_path, {})
    door.open()
    name = door.put(take(1))
    door.put(take(2))
    (config.spool / "new" / f"{2**62:020d}-0123456789ab").write_text("{")
    found = gather(where(tmp_path, {}), Asked())
    assert [(each.kind, each.about, each.by, each.why) for each in found.waiting[:2]] == [
        ("take", "i-2026-0001", "zhang (admin)", "news"),
        ("take", "i-2026-0002", "zhang (admin)", "news"),
    ]
    assert found.waiting[2].fault is not None
    page = page_named("given")
    assert look_at(tmp_path, {}, page, Asked(), [name]).outcomes == {}
    run_agent_once(config)
    assert look_at(tmp_path, {}, page, Asked(), [name]).outcomes == {}
    with writing(config.database) as db:
        carry_out(db, name, take(1), lambda _db: None)
    spool.finish(config, name)
    seen_again = look_at(tmp_path, {}, page, Asked(), [name])
    assert seen_again.outcomes == {name: None}
    assert seen_again.reading.waiting == 2


@pytest.mark.root
@pytest.mark.parametrize("mode", [0o750, 0o755], ids=["may not look", "may look"])
def test_an_account_that_may_not_write_is_told_which_one_may(mode: int) -> None:
    """It is told before a form is filled in, not after."""
    with tempfile.TemporaryDirectory(prefix="songshan-door-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        config = make_box(home)
        spool.make_folders(config)
        for folder in (config.spool, config.spool / "new"):
            folder.chmod(mode)
        told = _as_nobody(lambda: Door(home, {}).open())
    assert "may not write into" in told
    assert "use an account of the group songshan" in told


def _as_nobody(attempt: Callable[[], None]) -> str:
    """What the refusal says, in a process of the user 65534."""
    read_fd, write_fd = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        try:
            attempt()
        except SongshanError as error:
            texts = (*error.problems, *([error.hint] if error.hint else []))
            os.write(write_fd, "; ".join(text.en for text in texts).encode())
        finally:
            os._exit(0)
    os.close(write_fd)
    os.waitpid(child, 0)
    with os.fdopen(read_fd) as told:
        return told.read()


def test_a_box_without_configuration_takes_no_command(tmp_path: Path) -> None:
    """And says how to get one."""
    with pytest.raises(OperatorError, match="there is no"):
        Door(tmp_path, {}).open()
