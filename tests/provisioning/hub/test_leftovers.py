"""Half a file that a killed writer left at the hub is swept by whoever comes next: no redacted word lives on in it."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.core import records
from appliance.core.item import Item
from appliance.core.journal import genesis
from appliance.core.session import Session
from provisioning.hub import collecting, redactions, snapshots
from provisioning.hub.catalogue import Catalogue
from provisioning.hub.conversation import Conversation
from provisioning.hub.folder import HubFolder
from provisioning.hub.forks import keep_shown
from provisioning.hub.journals import HubJournals, streams_of
from provisioning.hub.leftovers import sweep_site
from provisioning.hub.sites import Site, write_site
from provisioning.hub.status import read_status, write_status
from provisioning.hub.told import keep, load
from tests.journals import AT
from tests.provisioning.live import LiveHub

SITE = "dengfeng"
CONTENT = "dengfeng/content"
WORDS = "张三的电话一三八〇〇"


def killed_before_the_name(act: Callable[[], object], number: int = 1) -> None:
    """Do something in a process that a SIGKILL ends just before the staged file number `number` gets its name."""
    child = os.fork()
    if child == 0:
        left = [number]

        def look(event: str, arguments: tuple[object, ...]) -> None:
            if event == "os.rename" and str(arguments[0]).endswith(".part"):
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(look)
        act()
        os._exit(0)
    _child, status = os.waitpid(child, 0)
    assert number > 1 or os.WIFSIGNALED(status)


@pytest.fixture
def folder(quiet_hub: LiveHub) -> HubFolder:
    """A hub with one site, and one story about somebody in a stream."""
    found = quiet_hub.folder
    key = HubJournals(found).signs()
    with found.locked():
        write_site(
            found,
            Site(
                site=SITE,
                name="登封",
                zone="Asia/Shanghai",
                channels=(),
                state="approved",
                enrolled_at=AT,
                sign_key=key,
            ),
        )
    HubJournals(found).append(CONTENT, "item", "i1", Item("i1", WORDS, "news", "hub", AT))
    return found


def status(folder: HubFolder) -> None:
    write_status(folder.site(SITE), {"submissions": WORDS}, folder.now_us())


def fold(folder: HubFolder) -> None:
    journals = HubJournals(folder)
    told = Catalogue().read(journals, (SITE,)).told[CONTENT]
    stream = journals.stream(CONTENT)
    keep(stream, told, stream.tail().place)


def snapshot(folder: HubFolder) -> None:
    snapshots.make(HubJournals(folder), CONTENT)


def branch(folder: HubFolder) -> None:
    journals = HubJournals(folder)
    stream = journals.stream(CONTENT)
    shown = list(stream.records())
    covered = stream.covered()
    assert covered is not None
    signed = covered.checkpoint
    with folder.locked():
        keep_shown(journals.stream("all/content"), shown, signed, folder.now_us())


def halves(folder: HubFolder) -> list[Path]:
    """Half files with the words."""
    return [path for path in folder.path.rglob(".*.part") if WORDS.encode() in path.read_bytes()]


def session(folder: HubFolder) -> None:
    """A box comes in: as sshd would start the gate for it."""
    conversation = Conversation(folder, SITE)
    have = {name: genesis(name) for name in streams_of(SITE)}
    signs = HubJournals(folder).signs()
    box = Session.box(SITE, have, genesis(f"{SITE}/report"), "test", folder.now_us(), "a" * 64, signs)
    conversation.receive(box.data_to_send())


def redaction(folder: HubFolder) -> None:
    redactions.order(folder, CONTENT, 1, 1, "含个人信息")


def collection(folder: HubFolder) -> None:
    collecting.run(folder, 45 * 86_400_000_000)


@pytest.mark.parametrize("write", [status, fold, snapshot, branch])
@pytest.mark.parametrize("then", [session, redaction, collection])
def test_half_a_file_with_somebodys_words_is_swept_wherever_its_writer_was_killed(
    folder: HubFolder, write: Callable[[HubFolder], None], then: Callable[[HubFolder], None]
) -> None:
    """A gate is killed while it writes what a box said, a fold, a snapshot, a branch; the next one takes it away."""
    killed_before_the_name(lambda: write(folder))
    assert halves(folder)
    then(folder)
    assert halves(folder) == []


def test_a_redaction_leaves_the_words_in_no_file_of_a_writer_that_was_killed(folder: HubFolder) -> None:
    """Not in a snapshot that was whole and had no name yet, either."""
    for number in range(1, 4):
        killed_before_the_name(lambda: snapshot(folder), number)
    redaction(folder)
    assert [path for path in folder.path.rglob("*") if path.is_file() and WORDS.encode() in path.read_bytes()] == []
    assert load(HubJournals(folder).stream(CONTENT))[0].items == {}


def test_what_a_gate_that_lives_is_writing_is_left_to_it(folder: HubFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sessions of one site are there for a second or two, whenever a line was lost."""
    swept: list[int] = []
    real = Path.rename

    def renamed(path: Path, target: Path) -> Path:
        swept.append(sweep_site(folder, SITE))
        return real(path, target)

    monkeypatch.setattr(Path, "rename", renamed)
    status(folder)
    assert swept == [0]
    assert WORDS.encode() in folder.site(SITE).status.read_bytes()


def test_a_redaction_that_was_killed_before_its_blanks_is_finished_by_the_next_session(folder: HubFolder) -> None:
    """Nobody may give the command again: it is on record, and it was said that it is."""
    body = records.Redact(CONTENT, 1, 1, "含个人信息", AT)
    HubJournals(folder).append(f"{SITE}/control", "redact", f"{CONTENT} 1:1", body)
    session(folder)
    assert [path for path in folder.path.rglob("*") if path.is_file() and WORDS.encode() in path.read_bytes()] == []


def test_words_that_have_to_go_are_copied_into_no_snapshot(folder: HubFolder) -> None:
    """A snapshot is made between the record of a redaction and its blanks: it would be sent to whoever comes."""
    body = records.Redact(CONTENT, 1, 1, "含个人信息", AT)
    HubJournals(folder).append(f"{SITE}/control", "redact", f"{CONTENT} 1:1", body)
    snapshot(folder)
    made = list(HubJournals(folder).stream(CONTENT).folder.glob("*.snapshot"))
    assert len(made) == 1
    assert WORDS.encode() not in made[0].read_bytes()


def test_a_redaction_takes_the_words_out_of_what_a_county_that_is_away_said_last(folder: HubFolder) -> None:
    """Its box cannot say anything else for months; the rest of what it said is still to be seen in the fleet."""
    said = {"site": SITE, "alarms": [{"id": "late:e1", "text": {"zh": f"《{WORDS}》未就绪", "en": ""}}], "lag_s": 1.5}
    write_status(folder.site(SITE), said, folder.now_us())
    redaction(folder)
    left = read_status(folder.site(SITE))
    assert left is not None
    assert left.status == {"site": SITE, "alarms": [{"id": "late:e1", "text": {"zh": "", "en": ""}}], "lag_s": 1.5}
