"""How a box gets in: invited, joined, approved; and how it is kept out, and put out."""

import json
import subprocess
from pathlib import Path

import pytest

from appliance.config import load
from appliance.core.errors import LockedOut
from appliance.core.events import Greeted, PeerSaidBye
from appliance.joining import read_bundle
from edge_agent.hub_ssh import HubLink
from tests.provisioning.live import LiveBox, LiveHub, program, until


def test_a_box_enrolled_joined_and_approved_has_a_session(hub: LiveHub, tmp_path: Path) -> None:
    """The whole way in must work with the two commands that an operator and a technician type."""
    box = hub.box("xinmi", tmp_path / "xinmi", "--name", "新密市融媒体中心", "--channel", "xinmi-1=新密综合")
    assert box.command("session").returncode == 255
    hub.run("approve", "xinmi")
    with box.session() as session:
        assert session.wait(Greeted).peer == hub.folder.settings().id
    config = load(box.home, {})
    assert (config.site, config.name, config.channels[0].name) == ("xinmi", "新密市融媒体中心", "新密综合")
    assert config.hub == box.bundle.hub


def test_join_shows_the_fingerprint_that_approve_shows(hub: LiveHub, tmp_path: Path) -> None:
    """Two people compare it on the telephone; different words would make them approve blindly."""
    bundle = tmp_path / "b"
    hub.run("enrol", "gongyi", "--out", str(bundle))
    box = LiveBox(hub, "gongyi", tmp_path / "gongyi", read_bundle(bundle))
    said = box.join(bundle).stdout
    fingerprint = next(word for word in said.split() if word.startswith("SHA256:"))
    assert fingerprint in hub.run("approve", "gongyi")


def test_a_bundle_used_twice_is_refused_and_the_first_box_stays(
    hub: LiveHub, dengfeng: LiveBox, tmp_path: Path
) -> None:
    """A bundle that was copied must not let a second machine in, nor put the first one out."""
    bundle = dengfeng.home.with_suffix(".bundle")
    second = LiveBox(hub, "dengfeng", tmp_path / "second", read_bundle(bundle))
    done = second.join(bundle)
    assert (done.returncode, "used already" in done.stderr) == (1, True)
    assert not (second.home / "appliance.toml").exists()
    assert any(refusal["what"] == "claim" for refusal in hub.refusals())
    with dengfeng.session() as session:
        session.wait(Greeted)


def test_a_box_that_has_joined_does_not_join_again(dengfeng: LiveBox) -> None:
    """A technician who repeats the command must not lose the box's identity."""
    before = (dengfeng.home / "appliance.toml").read_bytes(), (dengfeng.home / "keys" / "ssh").read_bytes()
    done = dengfeng.join(dengfeng.home.with_suffix(".bundle"))
    assert (done.returncode, "joined already" in done.stderr) == (1, True)
    assert ((dengfeng.home / "appliance.toml").read_bytes(), (dengfeng.home / "keys" / "ssh").read_bytes()) == before


def test_a_join_whose_answer_was_lost_can_be_asked_for_again(hub: LiveHub, tmp_path: Path) -> None:
    """The line may break between spending the claim and hearing of it; the same keys get the same answer."""
    box = hub.box("dengzhou", tmp_path / "dengzhou")
    (box.home / "appliance.toml").unlink()
    assert box.join(box.home.with_suffix(".bundle")).returncode == 0
    assert (box.home / "appliance.toml").exists()


def test_a_site_that_is_not_approved_is_locked_out(hub: LiveHub, tmp_path: Path) -> None:
    """A key that nobody compared opens nothing, neither the session nor rsync."""
    box = hub.box("xingyang", tmp_path / "xingyang", "--name", "荥阳")
    with pytest.raises(LockedOut) as locked_out:
        HubLink.connect(box.bundle.hub, box.home / "keys" / "ssh", 20.0)
    assert locked_out.value.exit_status == 4
    assert b"Permission denied" in box.command("session").stderr
    assert box.rsync(f"{box.remote}:{'0' * 64}", str(tmp_path)).returncode != 0


def test_a_claim_lets_nothing_through_but_join(hub: LiveHub, tmp_path: Path) -> None:
    """The key in a bundle travels by post; whoever reads it must not get at anything."""
    bundle = tmp_path / "b"
    hub.run("enrol", "zhongyuan", "--out", str(bundle))
    box = LiveBox(hub, "zhongyuan", tmp_path / "box", read_bundle(bundle))
    (box.home / "keys").mkdir(parents=True)
    (box.home / "keys" / "ssh").write_text(box.bundle.claim.ssh_private_key)
    (box.home / "keys" / "ssh").chmod(0o600)
    before = len(hub.refusals())
    for command in ("session", "sh", "rsync --server --sender -te.LsfxCIvu . " + "0" * 64, ""):
        assert box.command(command).returncode == 1
    assert len(hub.refusals()) == before + 4


def test_nonsense_handed_in_for_keys_is_refused_and_spends_nothing(hub: LiveHub, tmp_path: Path) -> None:
    """What a box hands in goes into authorized_keys: only a key may, and a bad try must not cost the claim."""
    bundle = tmp_path / "b"
    hub.run("enrol", "erqi", "--approve", "--out", str(bundle))
    box = LiveBox(hub, "erqi", tmp_path / "box", read_bundle(bundle))
    (box.home / "keys").mkdir(parents=True)
    (box.home / "keys" / "ssh").write_text(box.bundle.claim.ssh_private_key)
    (box.home / "keys" / "ssh").chmod(0o600)
    good = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPIcOCuMN8Bh84UW/a7ADVrUyNFLkfP0qkUYBNX1Xk2b"
    for key in ("", "ssh-rsa AAAA", good + "\nssh-ed25519 AAAA", 'command="sh" ' + good, "x" * 5000):
        said = json.dumps({"ssh_key": key, "sign_key": "D0S6W2LPmTHpi2Av+bAhs4/rS/FoRwK8wvZpMCTuxpo="}).encode()
        answer = json.loads(box.command("join", said + b"\n").stdout)
        assert answer["verdict"] == "refused"
    assert json.loads(box.command("join", b"not json\n").stdout)["verdict"] == "refused"
    assert box.command("join", b"").returncode == 0
    assert "erqi" not in (hub.path / "ssh" / "authorized_keys").read_text().replace("gate --claim", "")
    (box.home / "keys" / "ssh").unlink()
    assert box.join(bundle).returncode == 0


def test_a_hub_with_another_host_key_is_not_spoken_to(hub: LiveHub, tmp_path: Path) -> None:
    """Whoever answers in the hub's place must not even get the public keys: exit status 4, nothing written."""
    bundle = tmp_path / "b"
    hub.run("enrol", "jinshui", "--out", str(bundle))
    changed = json.loads(bundle.read_text())
    changed["hub"]["host_keys"] = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPIcOCuMN8Bh84UW/a7ADVrUyNFLkfP0qkUYBNX1Xk2b"]
    bundle.write_text(json.dumps(changed))
    box = LiveBox(hub, "jinshui", tmp_path / "box", read_bundle(bundle))
    done = box.join(bundle)
    assert (done.returncode, "host key" in done.stderr) == (4, True)
    assert not (box.home / "appliance.toml").exists()


def test_a_hub_that_is_away_is_told_from_one_that_refuses(quiet_hub: LiveHub, tmp_path: Path) -> None:
    """Scripts wait on status 3 and call somebody on status 4."""
    bundle = tmp_path / "b"
    quiet_hub.run("enrol", "dengfeng", "--out", str(bundle))
    changed = json.loads(bundle.read_text())
    changed["hub"]["port"] = 1
    bundle.write_text(json.dumps(changed))
    box = LiveBox(quiet_hub, "dengfeng", tmp_path / "box", read_bundle(bundle))
    assert box.join(bundle).returncode == 3


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"v":2}', b"x" * 100_000])
def test_what_is_no_bundle_is_refused_with_a_reason(content: bytes, tmp_path: Path) -> None:
    """Whatever file a technician picks, the answer is one line and status 2."""
    bundle = tmp_path / "b"
    bundle.write_bytes(content)
    argv = [program("songshan"), "--home", str(tmp_path / "box"), "join", str(bundle)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert not (tmp_path / "box").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"site": "../x"},
        {"zone": "Mars/Olympus"},
        {"channels": [{"id": "登封", "name": "x"}]},
        {"name": "a\nb"},
        {
            "hub": {
                "id": "songshan",
                "host": "-oProxyCommand=sh",
                "port": 0,
                "user": "",
                "host_keys": [],
                "sign_key": "x",
            }
        },
    ],
)
def test_a_bundle_with_what_no_configuration_may_hold_spends_nothing(
    quiet_hub: LiveHub, tmp_path: Path, change: dict[str, object]
) -> None:
    """A bundle travels by post and may be altered; it is judged before a key is made or the hub is called."""
    bundle = tmp_path / "b"
    quiet_hub.run("enrol", "dengfeng", "--out", str(bundle))
    bundle.write_text(json.dumps({**json.loads(bundle.read_text()), **change}))
    box = LiveBox(quiet_hub, "dengfeng", tmp_path / "box", read_bundle(bundle))
    done = box.join(bundle)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert not box.home.exists()


def test_revoke_ends_the_running_session_and_locks_the_site_out(hub: LiveHub, tmp_path: Path) -> None:
    """A stolen box must be off within seconds, not when it happens to reconnect."""
    box = hub.box("shangjie", tmp_path / "shangjie")
    with box.session() as session:
        session.wait(Greeted)
        hub.run("revoke", "shangjie")
        assert "revoked" in session.wait(PeerSaidBye).reason.en
        assert session.process.wait(10) != 0
    assert b"Permission denied" in box.command("session").stderr


def test_a_revoked_site_comes_back_with_a_new_bundle_only(hub: LiveHub, tmp_path: Path) -> None:
    """A replaced machine gets a new identity; the old claim and the old key stay dead."""
    box = hub.box("huiji", tmp_path / "huiji")
    assert "revoke" in hub.run("enrol", "huiji", "--out", str(tmp_path / "b2"), status=1)
    hub.run("revoke", "huiji")
    new = hub.box("huiji", tmp_path / "huiji2")
    with new.session() as session:
        session.wait(Greeted)
    assert b"Permission denied" in box.command("session").stderr


def test_the_newest_session_of_a_site_ends_the_one_before(hub: LiveHub, dengfeng: LiveBox) -> None:
    """After a line that died silently, the box must not wait for the hub to give up on the old session."""
    with dengfeng.session() as old:
        old.wait(Greeted)
        with dengfeng.session() as new:
            new.wait(Greeted)
            old.wait(PeerSaidBye)


def test_sessions_end_when_the_hub_is_killed(quiet_hub: LiveHub, tmp_path: Path) -> None:
    """sshd's children outlive it; the box would believe that it is connected to a hub that is gone."""
    quiet_hub.serve()
    box = quiet_hub.box("dengfeng", tmp_path / "dengfeng")
    with box.session() as session:
        session.wait(Greeted)
        quiet_hub.kill()
        until(lambda: session.process.poll() is not None or session.pump() or session.ended)


@pytest.mark.parametrize("site", ["all", "hub", "Dengfeng", "登封", "../x", "a", "x" * 40, "-v"])
def test_a_bad_site_id_is_refused(quiet_hub: LiveHub, site: str) -> None:
    """Folders and streams are named after sites, so an id is pinyin and nothing else."""
    done = quiet_hub.attempt("enrol", "--out", str(quiet_hub.path.parent / "b"), "--", site)
    assert done.returncode == 2
    assert list((quiet_hub.path / "sites").iterdir()) == []


def test_a_command_on_a_folder_that_is_no_hub_says_so(tmp_path: Path) -> None:
    """A wrong --hub must not make a second hub by accident."""
    done = LiveHub(tmp_path / "nowhere").attempt("enrol", "dengfeng")
    assert (done.returncode, "songshan-hub init" in done.stderr) == (2, True)
    assert not (tmp_path / "nowhere").exists()
