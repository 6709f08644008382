"""A stick that makes a box: what install.sh refuses, by the programs of a real Debian, before anything is installed.

It runs in a mount namespace of its own, in which /var/cache, /run and /etc/os-release are the test's. What it does
after the signature is a machine's to try: tests/machines/scenarios/stick.py.
"""

import hashlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from appliance.core.errors import OperatorError, Refused, SongshanError
from provisioning import identity
from provisioning.command import songshan_hub
from provisioning.hub.install_stick import program
from tests.provisioning.hub.test_bundling import make_deb

SUITE = "nowhere"
"""Of no Debian: with a good signature the next question is whether this machine has that release, and it has not."""
NOT_THIS_DEBIAN = "the stick is for Debian nowhere"
NOBODY = 65_534
_GROUND = """
set -eu
mount -t tmpfs none /var/cache
mount -t tmpfs none /run
mkdir -p /run/systemd/system
[ -z "$1" ] || mount --bind "$1" /etc/os-release
shift
exec "$@"
"""


def hub_runs(root: Path, *arguments: str) -> str | SongshanError:
    done = CliRunner().invoke(songshan_hub, ["--hub", str(root), *arguments], env={"SONGSHAN_LANG": "en"})
    assert done.exception is None or isinstance(done.exception, SongshanError), done.exception
    return done.exception or done.output


@dataclass
class Sticks:
    """A hub, its bundle, and a stick that it made; tests work on copies."""

    hub: Path
    good: Path
    said: str

    @property
    def fingerprint(self) -> str:
        return identity.fingerprint((self.hub / "keys/sign.pub").read_text())

    def words(self, into: Path) -> tuple[str, ...]:
        given = ("--bundle", str(self.hub / "release.bundle"), "--join", str(self.hub / "dengfeng.bundle"))
        return ("install-stick", str(into), *given)


def made(root: Path) -> Path:
    """A hub with a release and an invitation."""
    assert isinstance(hub_runs(root, "init"), str)
    parts = root / "parts"
    for path in (
        "wheels/pip-26.3-py3-none-any.whl", "wheels/songshan_edge-9.1.0-py3-none-any.whl",
        "controller/pip-26.3-py3-none-any.whl", "controller/ansible_core-2.19.0-py3-none-any.whl", "ansible/box.yml",
    ):  # fmt: skip
        (parts / path).parent.mkdir(parents=True, exist_ok=True)
        (parts / path).write_text(path)
    make_deb(parts / "debs")
    out = str(root / "release.bundle")
    assert isinstance(hub_runs(root, "bundle", str(parts), "--suite", SUITE, "--out", out), str)
    claim = str(root / "dengfeng.bundle")
    assert isinstance(hub_runs(root, "enrol", "dengfeng", "--name", "登封市融媒体中心", "--out", claim), str)
    return root


@pytest.fixture(scope="module")
def sticks(tmp_path_factory: pytest.TempPathFactory) -> Sticks:
    root = tmp_path_factory.mktemp("sticks")
    (root / "good").mkdir()
    sticks = Sticks(made(root / "hub"), root / "good", "")
    said = hub_runs(sticks.hub, *sticks.words(sticks.good))
    assert isinstance(said, str), said
    sticks.said = said
    return sticks


@pytest.fixture
def stick(sticks: Sticks, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sticks.good, tmp_path / "stick"))


def install(stick: Path, *words: str, os_release: Path | None = None) -> str:
    """What it says when it refuses, which it must."""
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _GROUND, "sh", str(os_release or "")]
    done = subprocess.run(
        [*argv, "setsid", "--wait", "sh", str(stick / "install.sh"), *words],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "[4/6]" not in done.stdout, "it went on"
    return done.stderr


@pytest.mark.root
def test_a_stick_of_the_hub_is_believed(sticks: Sticks, stick: Path) -> None:
    """By the fingerprint that the hub showed when it wrote the stick; what it shows of the script is the script's."""
    assert f"signing key {sticks.fingerprint}\n" in sticks.said
    assert hashlib.sha256((stick / "install.sh").read_bytes()).hexdigest() in sticks.said
    assert NOT_THIS_DEBIAN in install(stick, sticks.fingerprint)


@pytest.mark.root
def test_what_nobody_compared_is_not_installed(sticks: Sticks, stick: Path) -> None:
    """Without a terminal to ask at; and a stick of somebody who made a hub of his own, whose signature holds."""
    assert "not compared, and nothing was installed" in install(stick)
    assert "not the one that was given" in install(stick, sticks.fingerprint[:-1])
    other = made(stick.parent / "other")
    evil = stick.parent / "evil"
    evil.mkdir()
    assert isinstance(hub_runs(other, *Sticks(other, evil, "").words(evil)), str)
    assert "not the one that was given" in install(evil, sticks.fingerprint)


@pytest.mark.root
@pytest.mark.parametrize(
    "name", ["songshan.bundle", "join.bundle", "vars.yml", "SHA256SUMS", "SHA256SUMS.sig", "hub.pub"]
)
def test_one_turned_bit_is_found(sticks: Sticks, stick: Path, name: str) -> None:
    """Flash forgets, and somebody may have had it in his hands: nothing is installed, and the file is named."""
    data = bytearray((stick / name).read_bytes())
    data[len(data) // 2] ^= 1
    (stick / name).write_bytes(data)
    said = install(stick, sticks.fingerprint)
    assert "the signature does not hold" in said or "not the one that was given" in said
    assert name in said or name in ("SHA256SUMS", "hub.pub")


@pytest.mark.root
def test_what_is_half_written_is_said_so(sticks: Sticks, stick: Path) -> None:
    """Pulled out too early: the signature is written last."""
    (stick / "SHA256SUMS.sig").unlink()
    assert "the stick lacks SHA256SUMS.sig" in install(stick, sticks.fingerprint)
    (stick / "songshan.bundle").write_bytes((stick / "songshan.bundle").read_bytes()[:-512])
    shutil.copy(sticks.good / "SHA256SUMS.sig", stick)
    assert "does not hold (songshan.bundle)" in install(stick, sticks.fingerprint)


@pytest.mark.root
def test_another_word_of_the_hubs_is_no_signature_of_a_stick(sticks: Sticks, stick: Path) -> None:
    """The key signs much: a list that it signed for something else, or that leaves a file out, vouches for none."""
    listed = (stick / "SHA256SUMS").read_bytes()
    (stick / "SHA256SUMS.sig").write_bytes(signed(sticks.hub, listed, "songshan-other"))
    assert "does not hold (SHA256SUMS.sig)" in install(stick, sticks.fingerprint)
    (stick / "SHA256SUMS").write_bytes(b"".join(line for line in listed.splitlines(True) if b"vars.yml" not in line))
    (stick / "SHA256SUMS.sig").write_bytes(signed(sticks.hub, (stick / "SHA256SUMS").read_bytes(), "songshan-install"))
    assert "does not hold (SHA256SUMS)" in install(stick, sticks.fingerprint)


def signed(hub: Path, data: bytes, purpose: str) -> bytes:
    argv = ["ssh-keygen", "-Y", "sign", "-q", "-n", purpose, "-f", str(hub / "keys/sign")]
    return subprocess.run(argv, input=data, capture_output=True, check=True, timeout=30).stdout


@pytest.mark.root
def test_a_machine_that_cannot_be_a_box_is_told_so_first(sticks: Sticks, stick: Path) -> None:
    """Before anything is copied: another system, and somebody who is not root."""
    (stick.parent / "os-release").write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")
    assert "this is ubuntu, not Debian" in install(stick, sticks.fingerprint, os_release=stick.parent / "os-release")
    argv = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", "sh", "-s"]
    done = subprocess.run(argv, input=program(), capture_output=True, timeout=30, cwd="/")
    assert (done.returncode, b"not root" in done.stderr) == (1, True)


def test_what_stands_on_a_stick_is_what_install_sh_copies(sticks: Sticks) -> None:
    """And nothing that an operator gave is lost or made up on the way."""
    names = {path.name for path in sticks.good.iterdir()}
    script = program().decode()
    copied = script.partition("NAMES='")[2].partition("'")[0].split()
    assert names == {*copied, "hub.pub", "SHA256SUMS", "SHA256SUMS.sig"}
    told = json.loads((sticks.good / "hosts.json").read_text())["boxes"]["hosts"]["dengfeng"]
    assert (told["songshan_name"], told["songshan_channels"][0]["id"]) == ("登封市融媒体中心", "dengfeng-1")
    assert (sticks.good / "controller.txt").read_text().count("--hash=sha256:") == 2
    assert (sticks.good / "join.bundle").read_bytes() == (sticks.hub / "dengfeng.bundle").read_bytes()


def test_a_stick_that_could_make_no_box_is_not_written(sticks: Sticks, tmp_path: Path) -> None:
    """With another hub's invitation, or a bundle without what a bare Debian lacks; what was there stays."""
    other = made(tmp_path / "other")
    foreign = ("--bundle", str(sticks.hub / "release.bundle"), "--join", str(other / "dengfeng.bundle"))
    assert isinstance(hub_runs(sticks.hub, "install-stick", str(tmp_path), *foreign), Refused)
    shutil.rmtree(other / "parts/debs")
    assert isinstance(hub_runs(other, "bundle", str(other / "parts"), "--out", str(other / "bare.bundle")), str)
    bare = ("--bundle", str(other / "bare.bundle"), "--join", str(other / "dengfeng.bundle"))
    raised = hub_runs(other, "install-stick", str(tmp_path), *bare)
    assert isinstance(raised, OperatorError) and "debs" in raised.problems[0].en
    assert not (tmp_path / "install.sh").exists()
