"""The hub's own sshd: starts on a free port, says so, ends cleanly, and does not let two serve one folder."""

import signal
import socket
from pathlib import Path

import psutil
import pytest

from appliance.core.events import Greeted
from provisioning.hub.folder import HubFolder
from provisioning.hub.sshd import of_serve
from tests.provisioning.live import LiveHub, until


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_on_a_signal_and_leaves_nothing_running(quiet_hub: LiveHub, tmp_path: Path, number: int) -> None:
    """Ctrl-C of the demo must not leave an sshd behind."""
    quiet_hub.serve()
    assert quiet_hub.serving is not None
    port = quiet_hub.folder.settings().port
    assert listens(port)
    box = quiet_hub.box("dengfeng", tmp_path / "dengfeng")
    with box.session() as session:
        session.wait(Greeted)
        family = psutil.Process(quiet_hub.serving.pid).children(recursive=True)
        assert len(family) >= 2
        quiet_hub.serving.send_signal(number)
        assert quiet_hub.end() == 0
    until(lambda: not any(process.is_running() for process in family))
    assert not listens(port)
    assert list((quiet_hub.path / "ssh").glob("serving.*")) == []


def test_a_hub_is_served_once(quiet_hub: LiveHub) -> None:
    """Two would end each other's sessions for ever."""
    quiet_hub.serve()
    try:
        assert "being served already" in quiet_hub.run("serve", "--port", "0", status=1)
    finally:
        quiet_hub.end()


def test_after_a_kill_it_serves_again_on_the_same_port(quiet_hub: LiveHub) -> None:
    """A power cut leaves its mark in the folder; it must not need a hand to start again."""
    quiet_hub.serve()
    port = quiet_hub.folder.settings().port
    quiet_hub.kill()
    until(lambda: not listens(port))
    quiet_hub.serve()
    assert quiet_hub.folder.settings().port == port
    assert quiet_hub.end() == 0


def test_a_port_that_is_taken_is_told(quiet_hub: LiveHub) -> None:
    """The usual mistake gets its own line, and status 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "cannot be used" in quiet_hub.run("serve", "--port", str(taken.getsockname()[1]), status=1)


def test_its_sshd_offers_nothing_but_forced_commands(quiet_hub: LiveHub, tmp_path: Path) -> None:
    """Written out, so that whoever loosens it has to change this too."""
    config = of_serve(quiet_hub.folder, quiet_hub.folder.settings(), tmp_path / "mark")
    for line in (
        "AuthenticationMethods publickey",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "DisableForwarding yes",
        "PermitTTY no",
        "PermitRootLogin forced-commands-only",
        "PermitUserRC no",
    ):
        assert line in config.splitlines()
    assert all(line.startswith("ListenAddress 127.0.0.1:") for line in config.splitlines() if "ListenAddress" in line)


def test_a_percent_sign_in_the_path_locks_nobody_out(quiet_hub: LiveHub, tmp_path: Path) -> None:
    """sshd_config expands percent signs in some paths; unescaped, no key would be found and every box refused."""
    folder = HubFolder(tmp_path / "50%u")
    text = of_serve(folder, quiet_hub.folder.settings(), tmp_path / "mark")
    assert f'AuthorizedKeysFile "{tmp_path}/50%%u/' in text


def test_init_makes_a_hub_once(quiet_hub: LiveHub) -> None:
    """Repeating it must not replace the keys that every box has pinned."""
    before = (quiet_hub.path / "keys" / "sign").read_bytes()
    assert "a hub already" in quiet_hub.run("init", status=1)
    assert (quiet_hub.path / "keys" / "sign").read_bytes() == before
    modes = {path.name: path.stat().st_mode & 0o777 for path in (quiet_hub.path / "keys").iterdir()}
    assert (modes["sign"], modes["ssh_host_ed25519_key"]) == (0o600, 0o600)


@pytest.mark.parametrize("content", ["id = 1", "[", "", 'id = "x"\nhost = "h"\nport = 1\nuser = "u"\nnew = 1'])
def test_a_bad_hub_toml_is_told_with_its_name(quiet_hub: LiveHub, content: str) -> None:
    """One line, status 2, no traceback."""
    (quiet_hub.path / "hub.toml").write_text(content)
    said = quiet_hub.run("fleet", status=2)
    assert ("hub.toml" in said, "Traceback" in said) == (True, False)


@pytest.mark.parametrize("user", ["no-such-account", "nobody"])
def test_an_account_that_can_start_no_command_is_told(quiet_hub: LiveHub, user: str) -> None:
    """sshd would let the key in and then close without a word."""
    settings = quiet_hub.path / "hub.toml"
    own = quiet_hub.folder.settings().user
    settings.write_text(settings.read_text().replace(f'user = "{own}"', f'user = "{user}"'))
    assert user in quiet_hub.run("serve", "--port", "0", status=2)
