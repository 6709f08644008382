"""What a site's own account of the system can and cannot do at a hub: real accounts, the system's sshd, real rsync."""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.core.asset import Asset
from appliance.core.events import DeliveredAnswered, Greeted, RecordsArrived
from provisioning.hub.accounts import DOOR, door_beside, number_of
from provisioning.hub.sites import Claim, Site, account_keys
from provisioning.hub.sshd import of_accounts
from tests.provisioning.ground import AccountsHub, accounts_hub
from tests.provisioning.live import LiveBox, program, until

pytestmark = pytest.mark.root
MIB = 1024 * 1024
SITE = Site("dengfeng", "登封", "Asia/Shanghai", (), "approved", "2026-01-01T00:00:00Z", ssh_key="ssh-ed25519 AAAA")


@pytest.fixture(scope="module")
def hub() -> Iterator[AccountsHub]:
    with accounts_hub() as made:
        made.run("accounts")
        made.serve()
        yield made


@pytest.fixture(scope="module")
def dengfeng(hub: AccountsHub) -> LiveBox:
    return hub.box("dengfeng", hub.path.parent / "dengfeng")


@pytest.fixture(scope="module")
def zhongmu(hub: AccountsHub) -> LiveBox:
    return hub.box("zhongmu", hub.path.parent / "zhongmu")


def put(hub: AccountsHub, content: bytes, site: str) -> str:
    """An asset that a site may read; its digest."""
    source = hub.path.parent / "source"
    source.write_bytes(content)
    source.chmod(0o644)
    return hub.run("publish", "--asset-only", str(source), "--to", site).split()[0]


def named(folder: Path, content: bytes) -> Path:
    path = folder / hashlib.sha256(content).hexdigest()
    path.write_bytes(content)
    return path


def reached(hub: AccountsHub, user: str, right: str) -> set[str]:
    """What an account may read, write or look into, however well it knows the names, beside what it may only pass."""
    everything = sorted(str(path) for path in (hub.path, *hub.path.rglob("*")))
    script = f'while read -r name; do [ ! -{right} "$name" ] || echo "$name"; done'
    found = hub.as_user(user, "sh", "-c", script, said="\n".join(everything) + "\n").stdout
    return {str(Path(line).relative_to(hub.path)) for line in found.splitlines()}


def test_records_assets_and_uploads_pass_through_the_account(
    hub: AccountsHub, dengfeng: LiveBox, tmp_path: Path
) -> None:
    """All that a box does at its hub goes on as before, and what came up belongs to the hub and not to the account."""
    content = os.urandom(3 * MIB)
    assert dengfeng.fetch(put(hub, content, "dengfeng")) == content
    with dengfeng.session() as session:
        session.wait(Greeted)
        hub.run("order", "dengfeng", "--title", "去现场")
        session.wait(RecordsArrived, lambda event: event.stream == "dengfeng/control")
        source = named(tmp_path, os.urandom(MIB))
        source.chmod(0o400)
        assert dengfeng.rsync("--inplace", "--chmod=F600", str(source), f"{dengfeng.remote}:").returncode == 0
        session.session.delivered(f"sha256:{source.name}")
        assert session.wait(DeliveredAnswered).verdict == "taken"
    taken = hub.folder.site("dengfeng").uploaded / source.name
    assert taken.read_bytes() == source.read_bytes()
    assert taken.stat().st_uid == hub.path.stat().st_uid
    assert [path.name for path in taken.parent.iterdir()] == [taken.name]


def test_an_account_reaches_its_own_two_folders_and_nothing_else(
    hub: AccountsHub, dengfeng: LiveBox, zhongmu: LiveBox
) -> None:
    """By the rights of the operating system alone: whoever breaks out of rsync finds himself here."""
    mine, theirs = put(hub, b"for dengfeng", "dengfeng")[7:], put(hub, b"for zhongmu", "zhongmu")[7:]
    may_read = reached(hub, "sh-dengfeng", "r")
    assert f"sites/dengfeng/readable/{mine}" in may_read
    assert f"sites/zhongmu/readable/{theirs}" in reached(hub, "sh-zhongmu", "r")
    outside = {name for name in may_read if not name.startswith(("sites/dengfeng/readable", "sites/dengfeng/incoming"))}
    assert outside == set()
    assert reached(hub, "sh-dengfeng", "w") == {"sites/dengfeng/incoming"}
    assert hub.as_user("sh-dengfeng", "touch", str(hub.folder.site("dengfeng").readable / mine)).returncode != 0


def test_the_accounts_shell_is_the_door(hub: AccountsHub, dengfeng: LiveBox) -> None:
    """Whoever becomes the account by another way has no shell either, and over SSH each try is on record."""
    door = hub.as_user("root", "getent", "passwd", "sh-dengfeng").stdout.strip().split(":")[-1]
    assert door == program("songshan-hub-door")
    for words in ([], ["-c", "id"], ["-c", "/etc/passwd shell"], ["-i"]):
        done = hub.as_user("sh-dengfeng", door, *words)
        assert (done.returncode, "no shell" in done.stderr, done.stdout) == (1, True, "")
    asked = dengfeng.command("cat /etc/passwd", said=b"id\n")
    assert (asked.returncode, asked.stdout) == (1, b"")
    assert (hub.refusals()[-1]["site"], hub.refusals()[-1]["asked"]) == ("dengfeng", "cat /etc/passwd")
    assert hub.refusals()[-1]["from"].startswith("127.0.0.1 ")


def test_the_kernel_says_whose_account_it_is(hub: AccountsHub, dengfeng: LiveBox, zhongmu: LiveBox) -> None:
    """A broken door can ask for whatever it likes: it is answered for its own site, and no stranger is at all."""
    gate, door = hub.folder.settings().gate_socket, program("songshan-hub-door")
    invited = hub.invite("gongyi")
    claim = next(path.stem for path in (hub.path / "claims").iterdir() if b"gongyi" in path.read_bytes())
    request = '{"ssh_key": "x", "sign_key": "y", "software": "z"}\n'
    asked = ["env", "SSH_ORIGINAL_COMMAND=join", door, "-c", f"{gate} claim {claim}"]
    assert '"refused"' in hub.as_user("sh-gongyi", *asked, said=request).stdout
    done = hub.as_user("sh-zhongmu", *asked, said=request)
    assert (done.returncode, done.stdout) == (4, "")
    asked = ["env", "SSH_ORIGINAL_COMMAND=session", door, "-c", f"{gate} site"]
    assert hub.as_user("sh-gongyi", *asked).returncode == 4, "it has joined nothing yet"
    assert hub.as_user("nobody", *asked).returncode == 1, "it may not even connect"
    assert hub.as_user("root", *asked).returncode == 1, "root may, and is no site"
    invited.unlink()


def test_a_link_in_the_place_of_an_upload_gains_nothing(hub: AccountsHub, dengfeng: LiveBox, zhongmu: LiveBox) -> None:
    """The account may put anything into its own folder; the hub, which may read all, must not follow."""
    secret = put(hub, b"what zhongmu alone may see", "zhongmu")
    incoming = hub.folder.site("dengfeng").incoming
    target = hub.folder.site("zhongmu").readable / secret[7:]
    assert hub.as_user("sh-dengfeng", "ln", "-s", str(target), str(incoming / secret[7:])).returncode == 0
    with dengfeng.session() as session:
        session.wait(Greeted)
        session.session.delivered(secret)
        assert session.wait(DeliveredAnswered).verdict == "refused"
    assert dengfeng.fetch(secret) is None
    assert list(incoming.iterdir()) == []


def test_revoking_ends_sessions_transfers_and_what_does_not_ask(hub: AccountsHub, tmp_path: Path) -> None:
    """A stolen box is out within seconds; with the next run of `accounts` also what a broken door left running."""
    box = hub.box("xinzheng", tmp_path / "xinzheng")
    digest = put(hub, os.urandom(40 * MIB), "xinzheng")
    argv = box.rsync_argv("--bwlimit=2000", f"{box.remote}:{digest[7:]}", str(tmp_path / "got"))
    with (
        subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as receiver,
        box.session() as open_,
    ):
        open_.wait(Greeted)
        until(lambda: list(tmp_path.glob(".got*")))
        lingering = subprocess.Popen(hub.within("sleep", "600", user="sh-xinzheng"))
        hub.run("revoke", "xinzheng")
        assert receiver.wait(15) != 0
        until(lambda: open_.pump() or open_.ended, 15)
        hub.run("accounts")
        assert lingering.wait(15) == -9
    assert box.command("session").returncode == 255, "its key opens nothing any more"


def test_a_site_that_fills_its_room_is_stopped_and_told(hub: AccountsHub, tmp_path: Path) -> None:
    """One county's uploads must not take the disk from the fifteen others; the operator sees which one it is."""
    box = hub.box("huiji", tmp_path / "huiji")
    settings = hub.folder.settings_file
    text = settings.read_text()
    settings.write_text(text.replace(f"site_bytes_max = {256 * 1024**3}", f"site_bytes_max = {2 * MIB}"))
    try:
        first, second = named(tmp_path, os.urandom(2 * MIB)), named(tmp_path, b"one more")
        assert box.upload(first).returncode == 0
        refused = box.upload(second)
        assert refused.returncode != 0
        assert b"site_bytes_max" in refused.stderr
        assert "site_bytes_max" in hub.refusals()[-1]["reason"]["en"]
        row = next(row for row in hub.facts("fleet")["sites"] if row["site"] == "huiji")
        assert (row["waiting_bytes"], row["waiting_is_full"]) == (2 * MIB, True)
    finally:
        settings.write_text(text)
    assert box.upload(second).returncode == 0


def test_making_the_accounts_again_changes_nothing(hub: AccountsHub, dengfeng: LiveBox) -> None:
    """A timer runs it every minute, on every gateway."""
    assert hub.run("accounts") == ""


def test_a_number_that_is_another_accounts_is_not_taken(hub: AccountsHub) -> None:
    """A site must not become somebody on this machine who was there before."""
    hub.invite("shangjie")
    facts = hub.folder.site("shangjie").facts
    kept = facts.read_bytes()
    number = hub.folder.path.stat().st_uid
    for wrong in (number, 0):
        facts.write_bytes(kept.replace(b'"number": ', b'"number": %d, "was": ' % wrong))
        assert hub.run("accounts", status=1 if wrong < 1000 else 2)
    facts.write_bytes(kept)
    assert hub.run("accounts") == ""


def test_its_sshd_lets_in_the_accounts_of_sites_alone(hub: AccountsHub) -> None:
    """Written out, so that whoever loosens it has to change this too."""
    lines = of_accounts(hub.folder, hub.folder.settings()).splitlines()
    for line in (
        "AllowGroups songshan-sites",
        "PermitRootLogin no",
        "AuthorizedKeysFile none",
        "AuthorizedKeysCommandUser songshan-hub",
        "AuthenticationMethods publickey",
        "DisableForwarding yes",
        "PermitTTY no",
    ):
        assert line in lines


def test_an_account_has_the_keys_of_its_site_and_of_its_claims() -> None:
    """And none where the site may not come in."""
    claims = [Claim(str(n), "dengfeng", "ssh-ed25519 C", f"2026-01-0{n}T00:00:00Z") for n in (1, 3)]
    assert account_keys("/s", SITE, claims, 1_767_312_000_000_000).splitlines() == [
        'restrict,command="/s site" ssh-ed25519 AAAA dengfeng',
        'restrict,command="/s claim 3" ssh-ed25519 C claim-3',
    ]
    revoked = Site(SITE.site, SITE.name, SITE.zone, (), "revoked", SITE.enrolled_at, ssh_key=SITE.ssh_key)
    assert account_keys("/s", revoked, [], 0) == ""


def test_numbers_are_given_once(hub: AccountsHub, dengfeng: LiveBox, zhongmu: LiveBox) -> None:
    """A site keeps its number for ever, since its files have it."""
    first = hub.folder.settings().account_number_first
    numbers = [number_of(hub.folder, site) for site in ("dengfeng", "zhongmu", "nobody-yet")]
    assert numbers[0] == number_of(hub.folder, "dengfeng")
    assert len(set(numbers)) == 3
    assert min(number for number in numbers if number is not None) >= first


def test_the_asset_of_a_submission_cannot_be_written_by_who_sent_it(hub: AccountsHub, dengfeng: LiveBox) -> None:
    """Who owned the file could change what every county gets."""
    digest = put(hub, b"made at the hub", "dengfeng")
    path = hub.folder.site("dengfeng").readable / digest[7:]
    assert hub.as_user("sh-dengfeng", "chmod", "u+w", str(path)).returncode != 0
    assert hub.as_user("sh-dengfeng", "rm", "-f", str(path)).returncode != 0
    assert Asset(digest, path.stat().st_size).size_bytes == 15


def test_the_command_that_is_at_hand_knows_the_door_of_the_release_that_runs(tmp_path: Path) -> None:
    """A person calls the link in /usr/local/bin; the accounts' shell follows upgrades, so it leads by `current`."""
    release, at_hand = tmp_path / "releases/1.0/bin", tmp_path / "local/songshan-hub"
    for folder in (release, at_hand.parent):
        folder.mkdir(parents=True)
    (release / at_hand.name).touch()
    (tmp_path / "current").symlink_to("releases/1.0")
    at_hand.symlink_to(tmp_path / "current/bin/songshan-hub")
    assert door_beside(at_hand) == tmp_path / "current/bin" / DOOR == door_beside(tmp_path / "current/bin/songshan-hub")
