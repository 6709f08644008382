"""`songshan join BUNDLE`: a box makes its two keys, hands the public halves to the hub, and knows who it is."""

import base64
import io
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Final, TypeVar

import click
import msgspec
import paramiko

from appliance.command import Box, pass_box, say
from appliance.config import INSTALLED_HOME, INSTALLED_RUN, Config, HubAddress, config_path, load, render
from appliance.core import journal
from appliance.core.errors import HubUnreachable, KeyRanOut, LockedOut, OperatorError, Refused, Text
from appliance.durable import make_folder, sweep, write_atomically
from appliance.joining import Bundle, read_bundle
from appliance.keys import unused_mark
from provisioning import identity
from provisioning.joining import JoinAnswer, JoinRequest

CONNECT_TIMEOUT_S: Final = 20
ANSWER_BYTES_MAX: Final = 64 * 1024

A = TypeVar("A")

_STRANGER: Final = Text(
    "嵩山云的主机密钥不是加入包里的那把", "the hub shows another host key than the one in the bundle"
)
_NOT_ACCEPTED: Final = Text("嵩山云不接受这份加入包或这把密钥", "the hub does not accept this bundle, or this key")


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--air-first", is_flag=True, help="with the hub away the box is configured all the same; still status 3")
@pass_box
def join(box: Box, bundle: Path, air_first: bool) -> None:
    """Enrol this box with what songshan-hub enrol gave. Makes its keys; they never leave it.

    Example: songshan --home /srv/box join dengfeng.bundle
    """
    given = read_bundle(bundle)
    path = config_path(box.home)
    if path.exists():
        raise Refused(
            Text(f"此节点已加入，见 {path}", f"this box has joined already, see {path}"),
            hint=Text("换中心须用空的文件夹", "for another site use an empty folder"),
        )
    config = configured(box.home, given)
    try:
        answer, shown = hand_in_keys(config, given)
    except HubUnreachable:
        if air_first:
            _configure(path, config)
            say(Text("已可播出；线路一通再交密钥", "it can go on the air; its keys are handed in when there is a line"))
        raise
    _configure(path, config)
    say(Text(f"{given.name}（{given.site}）已加入 {given.hub.id}", f"{given.site} has joined {given.hub.id}"))
    say(Text(f"密钥指纹 {shown}", f"key fingerprint {shown}"))
    if answer.verdict != "approved":
        say(Text("请嵩山云核对指纹后批准", "the hub operator compares it and approves"))


def _configure(path: Path, config: Config) -> None:
    make_folder(path.parent)
    sweep(path.parent)
    write_atomically(path, render(config).encode())


def hand_in_keys(config: Config, bundle: Bundle) -> tuple[JoinAnswer, str]:
    """Make the box's keys and spend the claim; the hub's answer and the fingerprint to compare.

    Keys that a broken attempt left are used again, so asking twice is safe. Refused when the hub does not take them.
    """
    ssh_key = identity.make_key_files(config.ssh_key, f"{bundle.site}-ssh")
    if not config.sign_key.exists():
        write_atomically(unused_mark(config.sign_key), b"")
    sign_key = identity.make_key_files(config.sign_key, f"{bundle.site}-sign")
    line = identity.public_line(ssh_key.public_key())
    answer = ask(bundle, JoinRequest(line, journal.public_key_text(sign_key.public_key()), _software()))
    if answer.verdict == "refused":
        raise Refused(answer.reason or Text("嵩山云拒绝了", "the hub refused"))
    return answer, identity.fingerprint(line)


def configured(at: Path | None, bundle: Bundle) -> Config:
    """What the box is told about itself; OperatorError when the bundle says what no configuration may."""
    home = at or INSTALLED_HOME
    config = Config(
        home=home,
        run=home / "run" if at else INSTALLED_RUN,
        site=bundle.site,
        name=bundle.name,
        zone=bundle.zone,
        hub=bundle.hub,
        channels=bundle.channels,
    )
    with tempfile.TemporaryDirectory() as trial:
        config_path(Path(trial)).write_text(render(config))
        load(Path(trial), {})
    return config


def _software() -> str:
    return f"songshan-edge {metadata.version('songshan-edge')}"


def ask(bundle: Bundle, request: JoinRequest) -> JoinAnswer:
    """Hand the public keys in through the claim. HubUnreachable; LockedOut when host key or claim are not accepted."""
    try:
        claim = paramiko.Ed25519Key.from_private_key(io.StringIO(bundle.claim.ssh_private_key))
    except paramiko.SSHException as error:
        raise OperatorError(Text("加入包里的密钥读不出", "the key in the bundle cannot be read")) from error
    return said_to_hub(bundle.hub, claim, "join", msgspec.json.encode(request), JoinAnswer)


def said_to_hub(hub: HubAddress, key: paramiko.PKey, command: str, line: bytes, answer: type[A]) -> A:
    """One line in, one line out. HubUnreachable; LockedOut when host key or key are not accepted."""
    with paramiko.SSHClient() as client:
        _pin(client, hub)
        client.set_missing_host_key_policy(OnlyPinned())
        try:
            client.connect(
                hub.host,
                hub.port,
                hub.user,
                pkey=key,
                timeout=CONNECT_TIMEOUT_S,
                banner_timeout=CONNECT_TIMEOUT_S,
                auth_timeout=CONNECT_TIMEOUT_S,
                allow_agent=False,
                look_for_keys=False,
            )
            channel_in, channel_out, _ = client.exec_command(command, timeout=CONNECT_TIMEOUT_S)
            channel_in.write(line + b"\n")
            channel_in.flush()
            said = channel_out.readline(ANSWER_BYTES_MAX)
            why = "" if said else _why_not(channel_out.channel)
        except paramiko.BadHostKeyException as error:
            raise _locked_out(_STRANGER) from error
        except paramiko.AuthenticationException as error:
            raise _locked_out(_NOT_ACCEPTED) from error
        except (OSError, paramiko.SSHException) as error:
            raise _unreachable(hub, error) from error
    if why:
        raise LockedOut(Text(f"嵩山云不接纳：{why}", f"the hub does not let this in: {why}"), retryable=False)
    try:
        return msgspec.json.decode(said, type=answer)
    except msgspec.DecodeError as error:
        raise _unreachable(hub, error) from error


def _why_not(channel: paramiko.Channel) -> str:
    """What the gate says where it lets a known key do nothing; "" for any other end."""
    channel.status_event.wait(CONNECT_TIMEOUT_S)
    is_over = channel.exit_status_ready() and channel.exit_status in (LockedOut.exit_status, KeyRanOut.exit_status)
    return channel.recv_stderr(ANSWER_BYTES_MAX).decode(errors="replace").strip() if is_over else ""


class OnlyPinned(paramiko.MissingHostKeyPolicy):
    """A host key that the bundle does not name is never taken."""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise _locked_out(_STRANGER)


def _pin(client: paramiko.SSHClient, hub: HubAddress) -> None:
    name = hub.host if hub.port == 22 else f"[{hub.host}]:{hub.port}"
    for line in hub.host_keys:
        kind, blob = identity.parse_public_line(line).split()
        client.get_host_keys().add(name, kind, paramiko.Ed25519Key(data=base64.b64decode(blob)))


def _locked_out(problem: Text) -> LockedOut:
    return LockedOut(problem, hint=Text("请嵩山云重新 enrol", "ask the hub operator for a new bundle"), retryable=False)


def _unreachable(hub: HubAddress, error: Exception) -> HubUnreachable:
    return HubUnreachable(
        Text(f"连不上 {hub.host}:{hub.port}：{error}", f"cannot reach {hub.host}:{hub.port}: {error}")
    )
