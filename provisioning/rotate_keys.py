"""`songshan rotate-keys`: a box makes two new keys, and the old ones are worth nothing once the hub has seen them.

    made        keys/sign.next, then keys/ssh.next
    taken       the hub lets both pairs in
    tried       the new transport key has opened the hub's door; only then
    switched    sign.next is sign, then ssh.next is ssh; the old ones are gone, the hub takes both still
    confirmed   said under the new pair; the hub drops the old one
    refused     the old transport key was tried once more, and the door stayed shut

Killed anywhere, the same command goes on: what lies there says how far it was, and the box works meanwhile. The agent
starts it when the hub says that it is time, and takes the new keys up by itself, whoever started it.
"""

import fcntl
import io
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec
import paramiko

from appliance import shut_out
from appliance.command import Box, complain, pass_box, say, say_json
from appliance.commands.backup import backup
from appliance.config import Config, HubAddress
from appliance.core.errors import HubUnreachable, LockedOut, Refused, SongshanError, Text, WorldError
from appliance.durable import disk_errors, sync_folder, unlink_durably, write_atomically
from provisioning import identity
from provisioning.join import said_to_hub
from provisioning.joining import JoinAnswer
from provisioning.rekeying import RekeyRequest, confirmed, said

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

TRIES_MAX: Final = 30
UNCONFIRMED: Final = "unconfirmed"
"""Beside the keys, from before they are switched until the hub has heard of it. The signing key is made first and
switched first: where it has no next one, but the transport key has, the switching was cut off."""
PAUSE_S: Final = 2.0
"""A hub with an account for each site lets a new key in when root's unit has run."""


@click.command("rotate-keys")
@click.option("--json", "as_json", is_flag=True, help="for programs")
@pass_box
@click.pass_context
def rotate_keys(context: click.Context, box: Box, as_json: bool) -> None:
    """更换本节点的两把密钥，须有线路。 Change the two keys of this box, over the line; as the box's user.

    The agent does so by itself before they run out. Broken off, the same command goes on. Example: songshan rotate-keys
    """
    config = box.config
    if config.hub is None:
        raise Refused(Text("本节点未加入嵩山云", "this box belongs to no hub"))
    shut_out.check(config)
    with _alone(config.keys):
        former = _change(config, config.hub)
    is_refused = _is_refused(config, config.hub, former)
    shown = identity.fingerprint(identity.public_line(identity.read_private(config.ssh_key).public_key()))
    if as_json:
        say_json({"fingerprint": shown, "former_is_refused": is_refused})
        return
    say(Text(f"密钥已更换，指纹 {shown}", f"the keys were changed, fingerprint {shown}"))
    if is_refused:
        say(Text("旧密钥已试过，被拒绝", "the old key was tried, and is refused"))
    say(Text("agent 自会改用", "the agent takes them up by itself"))
    if config.database.exists():
        _back_up(context)


def _change(config: Config, hub: HubAddress) -> "Ed25519PrivateKey | None":
    """Go on from where it stands; the transport key that went, where it is still at hand."""
    unconfirmed = config.keys / UNCONFIRMED
    if _next(config.sign_key).exists() or not (unconfirmed.exists() or _next(config.ssh_key).exists()):
        _hand_in(config, hub)
        write_atomically(unconfirmed, b"")
        _switch(config, "sign")
    former = identity.read_private(config.ssh_key) if _next(config.ssh_key).exists() else None
    _switch(config, "ssh")
    _confirm(config, hub)
    unlink_durably(unconfirmed)
    return former


def _back_up(context: click.Context) -> None:
    """What was backed up before has keys that open nothing. Where it cannot be done now the night does it."""
    try:
        context.invoke(backup, file=None, nightly=True, show_code=False, as_json=False)
    except SongshanError as error:
        complain(error)


@contextmanager
def _alone(keys: Path) -> Iterator[None]:
    """Agent and technician must not make two pairs at once. Refused while another one changes them."""
    with disk_errors(keys):
        descriptor = os.open(keys, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused(Text("密钥正在更换", "the keys are being changed just now")) from error
        yield
    finally:
        os.close(descriptor)


def _hand_in(config: Config, hub: HubAddress) -> None:
    """Until the new transport key has opened the door. Raises Refused, LockedOut, HubUnreachable; the old ones stay."""
    following = identity.make_key_files(_next(config.sign_key), f"{config.site}-sign")
    transport = identity.make_key_files(_next(config.ssh_key), f"{config.site}-ssh")
    with disk_errors(config.keys):
        sync_folder(config.keys)
    former = identity.read_private(config.sign_key)
    request = said(hub.id, config.site, identity.public_line(transport.public_key()), former, following)
    _ask(hub, identity.read_private(config.ssh_key), request)
    for attempt in range(TRIES_MAX):
        try:
            _ask(hub, transport, request)
        except LockedOut:
            if attempt == TRIES_MAX - 1:
                raise
            time.sleep(PAUSE_S)
        else:
            return


def _confirm(config: Config, hub: HubAddress) -> None:
    request = confirmed(hub.id, config.site, identity.read_private(config.sign_key))
    _say(hub, identity.read_private(config.ssh_key), "rekeyed", msgspec.json.encode(request), "changed")


def _is_refused(config: Config, hub: HubAddress, former: "Ed25519PrivateKey | None") -> bool | None:
    """Whether the door stays shut for the old transport key; None where it is gone already, or the line is.

    Raises WorldError where it opens still after a while.
    """
    if former is None:
        return None
    request = msgspec.json.encode(confirmed(hub.id, config.site, identity.read_private(config.sign_key)))
    for _attempt in range(TRIES_MAX):
        try:
            _say(hub, former, "rekeyed", request, "changed")
        except LockedOut:
            return True
        except HubUnreachable:
            return None
        time.sleep(PAUSE_S)
    raise WorldError(
        Text("密钥已更换，但嵩山云仍接受旧密钥", "the keys were changed, but the hub still lets the old one in"),
        hint=Text(
            "嵩山云：systemctl status songshan-hub-accounts", "at the hub: systemctl status songshan-hub-accounts"
        ),
    )


def _ask(hub: HubAddress, key: "Ed25519PrivateKey", request: RekeyRequest) -> None:
    _say(hub, key, "rekey", msgspec.json.encode(request), "taken")


def _say(hub: HubAddress, key: "Ed25519PrivateKey", command: str, line: bytes, expected: str) -> None:
    shown = paramiko.Ed25519Key.from_private_key(io.StringIO(identity.private_text(key).decode()))
    answer = said_to_hub(hub, shown, command, line, JoinAnswer)
    if answer.verdict != expected:
        raise Refused(answer.reason or Text("嵩山云拒绝了", "the hub refused"))


def _switch(config: Config, name: str) -> None:
    path = config.keys / name
    with disk_errors(path):
        for suffix in (".pub", ""):
            following = path.with_name(f"{name}.next{suffix}")
            if following.exists():
                following.rename(path.with_name(f"{name}{suffix}"))
        sync_folder(config.keys)


def _next(path: Path) -> Path:
    return path.with_name(f"{path.name}.next")
