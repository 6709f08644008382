"""`songshan playout` as a process, heard over UDP: killed, stopped, without database, agent and files."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from appliance import files, senders, spool
from appliance.config import ChannelConfig
from appliance.core.cbr import RATE_DEFAULT
from appliance.core.command import kind_of
from appliance.core.mux import PACKET
from appliance.core.sending import LATE_US, RESUME_US
from appliance.core.ts import TICKS_PER_FRAME
from appliance.store import air
from tests.appliance.playout.receivers import Receiver, end, free_udp_port, last_picture, playout, receiving
from tests.appliance.web.county import County, now_us

pytestmark = pytest.mark.serial
CHANNEL = "dengfeng-1"
WAIT_S = 60.0


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[County]:
    """A channel on the air with two clips in turn, sent to a port of this machine. No agent runs, no web server."""
    channel = ChannelConfig(CHANNEL, "登封综合", udp=f"127.0.0.1:{free_udp_port()}")
    county = County(tmp_path_factory.mktemp("playout") / "box", channels=(channel,))
    county.go_on_air([county.package("long"), county.package("odd")])
    yield county
    county.close()


@pytest.fixture
def modulator(county: County) -> Iterator[Receiver]:
    with receiving(county.channels[0].udp) as receiver:
        yield receiver


@pytest.fixture
def sender(county: County, modulator: Receiver) -> Iterator[subprocess.Popen[bytes]]:
    """The main sender, with its first pictures out."""
    process = playout(county.home, CHANNEL)
    until("pictures", lambda: len(modulator.pictures()) > 25)
    yield process
    end(process)


@pytest.fixture
def standby(county: County, sender: object) -> Iterator[subprocess.Popen[bytes]]:
    """One that stands ready behind the main sender."""
    process = playout(county.home, CHANNEL, "--standby")
    until("the standby", lambda: is_there(county, process))
    time.sleep(0.5)
    yield process
    end(process)


def until(what: str, holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, f"not seen: {what}"
        time.sleep(0.02)


def lag_us(moment_us: int, datagram: bytes) -> int | None:
    """How old the clock in a datagram is when it arrives; None for one without."""
    for at in range(0, len(datagram), PACKET):
        if datagram[at + 3] & 0x20 and datagram[at + 4] and datagram[at + 5] & 0x10:
            field = int.from_bytes(datagram[at + 6 : at + 12], "big")
            pcr_us = ((field >> 15) * 300 + (field & 0x1FF)) // 27
            return (moment_us - pcr_us + (1 << 32)) % ((300 << 33) // 27) - (1 << 32)
    return None


def is_there(county: County, standby: "subprocess.Popen[bytes]") -> bool:
    """What an earlier one told may still lie there."""
    told = senders.told(county.config, CHANNEL)[1]
    return told is not None and told.pid == standby.pid


def assert_never_stale(receiver: Receiver, since_us: int) -> None:
    lags = [lag for moment_us, data in receiver.since(since_us) if (lag := lag_us(moment_us, data)) is not None]
    assert lags and max(lags) < LATE_US + 200_000, "a busy machine delivers late, and still nothing is of the past"
    assert min(lags) > -50_000


def test_the_output_is_whole_and_decodes(county: County, modulator: Receiver, sender: object, tmp_path: Path) -> None:
    """Over two changes of clip: no counter breaks, no time steps, and ffmpeg has nothing to say."""
    since_us = now_us()
    time.sleep(4.5)
    heard, passed_us = modulator.heard(since_us), now_us() - since_us
    assert (heard.continuity_errors, heard.pts_steps, heard.pcr_steps, heard.pcr_late, heard.pts_late) == (
        0,
        0,
        0,
        0,
        0,
    )
    assert all(len(data) == 7 * PACKET for _, data in modulator.since(since_us))
    assert heard.packets * PACKET * 8 == pytest.approx(RATE_DEFAULT * passed_us / 1_000_000, rel=0.1)
    stream = modulator.stream(0)
    (tmp_path / "heard.ts").write_bytes(stream[: last_picture(stream)])
    argv = ["ffmpeg", "-nostdin", "-v", "warning", "-i", str(tmp_path / "heard.ts"), "-f", "null", "-"]
    decoded = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (decoded.returncode, decoded.stderr) == (0, "")
    assert_never_stale(modulator, since_us)


def test_killed_and_started_again_it_is_back_with_the_present(
    county: County, modulator: Receiver, sender: "subprocess.Popen[bytes]"
) -> None:
    """The clock in the stream never goes back, and what aired meanwhile is not aired late."""
    sender.kill()
    sender.wait(10)
    killed_us = now_us()
    again = playout(county.home, CHANNEL)
    try:
        until("the output again", lambda: modulator.since(killed_us + 100_000))
        time.sleep(1.5)
        heard = modulator.heard(killed_us - 1_000_000)
        assert heard.pcr_late + heard.pcr_steps == 1, "the gap itself"
        steps = [after - before for before, after in pairwise(modulator.pictures(killed_us - 1_000_000))]
        assert min(steps) > 0
        assert_never_stale(modulator, killed_us + 50_000)
    finally:
        end(again)


def test_a_standby_takes_over_from_a_killed_sender_without_losing_a_packet(
    county: County, modulator: Receiver, sender: "subprocess.Popen[bytes]", standby: object
) -> None:
    """The lock is free at once, and both make the same packets: what one had not sent the other has."""
    told = senders.told(county.config, CHANNEL)
    assert told[0] and told[0].leads and told[1] and not told[1].leads
    sender.kill()
    killed_us = now_us()
    until("the standby sends", lambda: modulator.since(killed_us + 300_000))
    heard = modulator.heard(killed_us - 1_000_000)
    assert heard.pictures > 0
    if modulator.longest_silence_us(killed_us - 1_000_000) < LATE_US // 2:
        # On a machine that is too busy to wake it, it leaves out what is stale, as any sender does.
        assert (heard.pcr_steps, heard.pts_steps, heard.continuity_errors) == (0, 0, 0)


def test_a_sender_that_is_stuck_is_replaced_and_does_not_interfere_when_it_wakes(
    county: County, modulator: Receiver, sender: "subprocess.Popen[bytes]", standby: object
) -> None:
    """Two that send at once would be worse than none: the first looks who leads before each batch."""
    try:
        sender.send_signal(signal.SIGSTOP)
        stopped_us = now_us()
        until("the standby sends", lambda: modulator.since(stopped_us + 100_000))
        time.sleep(0.5)
        woken_us = now_us()
        sender.send_signal(signal.SIGCONT)
        time.sleep(1)
        assert_never_stale(modulator, stopped_us + 100_000)
        heard = modulator.heard(woken_us - 100_000)
        if modulator.longest_silence_us(woken_us - 100_000) < LATE_US // 2:
            # As above: a busy machine makes the one that leads leave something out.
            assert (heard.pcr_steps, heard.continuity_errors, heard.pts_steps) == (0, 0, 0)
        # It tells each second how it is, and what it told before it was stopped is what it then was.
        until("the first steps back", lambda: (first := senders.told(county.config, CHANNEL)[0]) and not first.leads)
        second = senders.told(county.config, CHANNEL)[1]
        assert second and second.leads
    finally:
        sender.send_signal(signal.SIGCONT)


def test_a_machine_that_stood_still_for_half_a_second_shows_every_picture(
    county: County, modulator: Receiver, sender: "subprocess.Popen[bytes]", standby: "subprocess.Popen[bytes]"
) -> None:
    """Nobody could send meanwhile: what was due is still in time for the screens, and whoever wakes first has it."""
    stopped_us = now_us()
    for each in (sender, standby):
        each.send_signal(signal.SIGSTOP)
    time.sleep(0.5)
    for each in (sender, standby):
        each.send_signal(signal.SIGCONT)
    time.sleep(3)
    silence_us = modulator.longest_silence_us(stopped_us - 1_000_000)
    assert silence_us > LATE_US
    if silence_us < RESUME_US:
        # A busy machine wakes them later, and what is too late by then cannot be shown.
        shown = modulator.pictures(stopped_us - 1_000_000)
        assert {after - before for before, after in pairwise(shown)} == {TICKS_PER_FRAME}


def test_without_its_database_a_sender_goes_on_and_a_new_one_shows_the_slate(
    county: County, modulator: Receiver, sender: "subprocess.Popen[bytes]"
) -> None:
    """The disk of the database is gone: what was read is sent; a sender that never read it has the built-in slate."""
    aside = county.config.database.parent.rename(county.home / "gone")
    try:
        since_us = now_us()
        time.sleep(2.5)
        assert (modulator.heard(since_us).blackouts, modulator.heard(since_us).continuity_errors) == (0, 0)
        told = senders.told(county.config, CHANNEL)[0]
        assert told and told.database and told.note is None and told.slate_segments == 0
        end(sender)
        again = playout(county.home, CHANNEL)
        try:
            began_us = now_us()
            until("the slate", lambda: len(modulator.pictures(began_us)) > 10)
            until("it is told", lambda: (told := senders.told(county.config, CHANNEL)[0]) and told.slate_segments)
        finally:
            end(again)
    finally:
        aside.rename(county.config.database.parent)


def test_an_insertion_is_on_the_output_at_the_boundary_that_the_ledger_says(
    county: County, modulator: Receiver, sender: object
) -> None:
    """A change of the ledger is seen in time for the next boundary that may change, with no break."""
    alert = county.package("small")
    county.write(lambda db: air.add_insert(db, "now", CHANNEL, alert.digest, now_us()))
    county.write(lambda db: air.recompile(db, CHANNEL, air.now_us(db), 1))
    (row,) = county.db.conn.execute("SELECT start_tick FROM inserts WHERE id = 'now'").fetchone()[:1]
    start_us = row * 100 // 9
    rendition = county.db.conn.execute("SELECT digest FROM renditions WHERE source = ?", (alert.digest,)).fetchone()[0]
    first = files.path_of(county.config, rendition).read_bytes()
    payload = first[first.index(b"\x00\x00\x01\x65") :][:100]
    time.sleep(max(0.0, (start_us - now_us()) / 1_000_000) + 0.5)
    found = [moment_us for moment_us, data in modulator.datagrams if payload[:60] in data]
    assert found, "the clip's first picture"
    assert -400_000 < found[0] - start_us < 400_000
    heard = modulator.heard(start_us - 1_000_000)
    assert (heard.continuity_errors, heard.pts_steps) == (0, 0)


def test_the_probe_tells_what_it_hears(county: County, modulator: Receiver, sender: object) -> None:
    """Counters for screens and scripts, from the output itself, and evidence for the as-run log."""
    probe = playout(county.home, CHANNEL, "--watch")
    try:
        until("a report", lambda: (told := senders.told(county.config, CHANNEL)[2]) and told.packets > 5000)
        until("a look", lambda: (told := senders.told(county.config, CHANNEL)[2]) and told.pictures_seen > 2)
        told = senders.told(county.config, CHANNEL)[2]
        assert told and (told.continuity_errors, told.pcr_steps, told.pts_steps, told.sync_errors) == (0, 0, 0, 0)
        assert (told.black_since_us, told.still_since_us) == (None, None)
        probe.terminate()
        assert probe.wait(30) == 0
        observed = [spool.read(county.config, name)[0] for name in spool.pending(county.config)]
        assert [kind_of(one) for one in observed] == ["observed"]
    finally:
        end(probe)


def test_a_probe_that_was_held_up_accuses_nobody(county: County, modulator: Receiver, sender: object) -> None:
    """It knows how many datagrams the kernel dropped meanwhile, and finds no fault in what comes after them."""
    probe = playout(county.home, CHANNEL, "--watch")
    port = int(modulator.address.rpartition(":")[2])
    try:
        until("a report", lambda: (told := senders.told(county.config, CHANNEL)[2]) and told.pid == probe.pid)
        until("it hears", lambda: (told := senders.told(county.config, CHANNEL)[2]) and told.packets > 2000)
        probe.send_signal(signal.SIGSTOP)
        until("something is dropped", lambda: dropped(port))
        probe.send_signal(signal.SIGCONT)
        until("it knows", lambda: (told := senders.told(county.config, CHANNEL)[2]) and told.missed_datagrams > 0)
        told = senders.told(county.config, CHANNEL)[2]
        assert told and (told.continuity_errors, told.pcr_steps, told.pts_steps, told.last_fault) == (0, 0, 0, None)
    finally:
        end(probe)


def dropped(port: int) -> bool:
    """Whether the kernel had to drop what came for somebody who listens there (/proc/net/udp)."""
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return any(int(row[1].rpartition(":")[2], 16) == port and int(row[-1]) > 0 for row in rows)
