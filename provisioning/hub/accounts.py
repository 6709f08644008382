"""`songshan-hub accounts`: one account of the system for each site, made by root, and what it may reach of the folder.

    /                     711   root of the hub: a site's account may pass, and read nothing
    sites/                711
    sites/SITE/           710   group sh-SITE: no other site's account gets in
    sites/SITE/readable/  750   group sh-SITE: hard links to what it may fetch, each file the hub's and read-only
    sites/SITE/incoming/  770   group sh-SITE: where its rsync writes; what lies there is the account's own
    all else              700   the hub's own

The numbers of the accounts lie in the folder, so that every gateway of one hub makes the same. What root finds there
was written by the hub's account, which is not root's: it is read with that account's rights, held to its shape, and
no name in the folder leads anywhere else.
"""

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
import msgspec

from appliance.command import say, say_json
from appliance.core.errors import OperatorError, Refused, Text, WorldError
from provisioning.command import pass_hub
from provisioning.hub.folder import HubFolder, is_site_id
from provisioning.hub.sites import SITES_MAX, Site, account_of, all_sites, write_authorized_keys, write_site

GROUP: Final = "songshan-sites"
"""All of a hub's sites: who its sshd lets in, and who may connect to the gate."""
NAME_CHARS_MAX: Final = 32
"""useradd(8)."""
NUMBER_MIN: Final = 1_000
NUMBER_MAX: Final = 60_000
"""Below are the system's, above systemd's and nobody."""
PROGRAM_TIMEOUT_S: Final = 60
LISTED_BYTES_MAX: Final = 1024 * 1024
DOOR: Final = "songshan-hub-door"

_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Account(msgspec.Struct, frozen=True):
    """What is to be there for one site."""

    site: str
    number: int
    is_shut_out: bool


@click.command()
@click.option("--list", "as_list", is_flag=True, help="only print what is to be there, with the rights of the hub")
@click.option("--door", type=click.Path(path_type=Path), help="the shell of the accounts; by default beside this one")
@pass_hub
def accounts(folder: HubFolder, as_list: bool, door: Path | None) -> None:
    """Make the account of each site, give it what it may reach, and end what runs for sites that were shut out.

    For root, by a timer and whenever a site is enrolled or revoked. Says what it changed; a second run changes nothing.

    Example: songshan-hub --hub /srv/songshan-hub accounts
    """
    if as_list:
        say_json({"accounts": wanted(folder)})
        return
    if os.geteuid() != 0:
        raise Refused(Text("只有 root 能建账户", "only root can make accounts"))
    door = door or door_beside(Path(sys.argv[0]).absolute())
    if not os.access(door, os.X_OK):
        raise OperatorError(Text(f"没有 {door}", f"there is no {door}"))
    owner = folder.path.stat()
    if owner.st_uid == 0:
        raise OperatorError(
            Text(f"{folder.path} 属于 root", f"{folder.path} belongs to root"),
            hint=Text("嵩山云文件夹须属于自己的账户", "a hub with accounts belongs to an account of its own"),
        )
    for change in bring_about(folder, _listed(folder, owner), door, owner.st_uid):
        say(change)


def door_beside(program: Path) -> Path:
    """The door of the release that `program` is of; what lies in /usr/local/bin is a link to the one that runs."""
    return (program.parent / program.readlink() if program.is_symlink() else program).with_name(DOOR)


def wanted(folder: HubFolder) -> list[Account]:
    """The account of each site; sites from before the hub had accounts get their number."""
    if not folder.settings().accounts:
        raise Refused(
            Text("此嵩山云不用分站账户", "this hub has no accounts"),
            hint=Text("hub.toml：accounts = true", "hub.toml: accounts = true"),
        )
    with folder.locked():
        for site in all_sites(folder):
            if site.number is None:
                check_account_name(site.site)
                write_site(folder, msgspec.structs.replace(site, number=number_of(folder, site.site)))
        write_authorized_keys(folder, folder.now_us())
        sites = all_sites(folder)
    return [Account(site.site, site.number, site.state == "revoked") for site in sites if site.number is not None]


def number_of(folder: HubFolder, site: str) -> int | None:
    """The number of a site's account, or a new one; None where the hub has no accounts. The hub's lock is held."""
    settings = folder.settings()
    if not settings.accounts:
        return None
    known: list[Site] = list(all_sites(folder))
    own = next((each.number for each in known if each.site == site), None)
    if own is not None:
        return own
    taken = {each.number for each in known}
    first = settings.account_number_first
    return next(number for number in range(first, first + SITES_MAX) if number not in taken)


def check_account_name(site: str) -> None:
    """OperatorError where a site's id is too long for the name of an account."""
    longest = NAME_CHARS_MAX - len(account_of(""))
    if len(site) > longest:
        raise OperatorError(
            Text(f"编号最多 {longest} 个字符：{site}", f"at most {longest} characters, for its account: {site}")
        )


def site_with(folder: HubFolder, number: int) -> Site | None:
    """The site whose account has this number."""
    return next((site for site in all_sites(folder) if site.number == number), None)


def bring_about(folder: HubFolder, listed: list[Account], door: Path, owner: int) -> Iterator[Text]:
    """Make it so; what was not so before. As root."""
    yield from _made("group", GROUP, ["groupadd", "--system", GROUP])
    for account in listed:
        name, number = account_of(account.site), str(account.number)
        _check_free(name, account.number)
        yield from _made("group", name, ["groupadd", "--gid", number, name])
        # Not `!`: sshd takes that for a locked account, which no key opens either.
        argv = ["useradd", "--uid", number, "--gid", number, "--groups", GROUP, "--home-dir", "/nonexistent"]
        argv += ["--no-create-home", "--no-log-init", "--password", "*", "--shell", str(door), name]
        yield from _made("passwd", name, argv)
        known = pwd.getpwnam(name)
        if known.pw_uid != account.number:
            raise OperatorError(
                Text(
                    f"{name} 的编号是 {known.pw_uid}，应为 {number}", f"{name} has number {known.pw_uid}, not {number}"
                ),
                hint=Text(f"userdel {name} 后再运行", f"userdel {name}, then again"),
            )
        if known.pw_shell != str(door):
            _run(["usermod", "--shell", str(door), name])
            yield Text(f"{name}：shell 改为 {door}", f"{name}: its shell is {door} now")
        if account.is_shut_out:
            yield from _end(account)
    yield from _narrow(folder.path, listed, owner)


def _listed(folder: HubFolder, owner: os.stat_result) -> list[Account]:
    """What the hub says that there is to be, asked with its own rights and held to its shape."""
    argv = [sys.executable, "-m", "provisioning.command", "--hub", str(folder.path), "accounts", "--list"]
    asked = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PROGRAM_TIMEOUT_S,
        user=owner.st_uid,
        group=owner.st_gid,
        extra_groups=[],
        cwd="/",
    )
    if asked.returncode != 0:
        raise WorldError(Text(*[asked.stderr.decode(errors="replace").strip() or str(asked.returncode)] * 2))
    told = msgspec.json.decode(asked.stdout[:LISTED_BYTES_MAX], type=dict[str, list[Account]])["accounts"]
    numbers = {account.number for account in told}
    is_sound = all(is_site_id(each.site) and NUMBER_MIN <= each.number <= NUMBER_MAX for each in told)
    if not is_sound or len(numbers) != len(told) or len(told) > SITES_MAX:
        raise WorldError(Text("嵩山云所报账户不合规", "what the hub says of its accounts is not sound"))
    return told


def _check_free(name: str, number: int) -> None:
    try:
        known = pwd.getpwuid(number)
    except KeyError:
        return
    if known.pw_name != name:
        raise OperatorError(
            Text(f"编号 {number} 已属于 {known.pw_name}", f"the number {number} is {known.pw_name}'s"),
            hint=Text("在 hub.toml 改 account_number_first", "set account_number_first in hub.toml"),
        )


def _made(database: str, name: str, argv: list[str]) -> Iterator[Text]:
    if subprocess.run(["getent", database, name], capture_output=True, timeout=PROGRAM_TIMEOUT_S).returncode != 0:
        _run(argv)
        yield Text(f"已建 {database} {name}", f"made {database} {name}")


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_S)
    if done.returncode != 0:
        raise WorldError(Text(f"{argv[0]}：{done.stderr.strip()}", f"{argv[0]}: {done.stderr.strip()}"))


def _end(account: Account) -> Iterator[Text]:
    """The gate ends what it let in; this ends what does not ask it any more."""
    import psutil

    for process in psutil.process_iter():
        try:
            if account.number in process.uids():
                process.kill()
                yield Text(f"{account.site}：进程 {process.pid} 已结束", f"{account.site}: ended process {process.pid}")
        except psutil.NoSuchProcess:
            continue


def _narrow(hub: Path, listed: list[Account], owner: int) -> Iterator[Text]:
    with _opened(os.open(hub, _FOLDER_FLAGS)) as top:
        yield from _set(top, str(hub), 0o711, None, owner)
        for name in ("assets", "backups", "claims", "fossils", "journals", "keys", "log", "renditions", "ssh"):
            yield from _set_inside(top, name, 0o700, None, owner)
        yield from _set_inside(top, "sites", 0o711, None, owner)
        with _opened(os.open("sites", _FOLDER_FLAGS, dir_fd=top)) as sites:
            for account in listed:
                yield from _narrow_site(sites, account, owner)


def _narrow_site(sites: int, account: Account, owner: int) -> Iterator[Text]:
    group = account.number
    with _opened(os.open(account.site, _FOLDER_FLAGS, dir_fd=sites)) as own:
        for name in ("journal", "uploaded"):
            yield from _set_inside(own, name, 0o700, None, owner)
        yield from _set_inside(own, "readable", 0o750, group, owner)
        yield from _set_inside(own, "incoming", 0o770, group, owner)
        yield from _set(own, f"sites/{account.site}", 0o710, group, owner)


def _set_inside(parent: int, name: str, mode: int, group: int | None, owner: int) -> Iterator[Text]:
    try:
        descriptor = os.open(name, _FOLDER_FLAGS, dir_fd=parent)
    except FileNotFoundError:
        return
    with _opened(descriptor):
        yield from _set(descriptor, name, mode, group, owner)


def _set(descriptor: int, name: str, mode: int, group: int | None, owner: int) -> Iterator[Text]:
    found = os.fstat(descriptor)
    if found.st_uid != owner:
        raise WorldError(Text(f"{name} 不属于嵩山云账户", f"{name} is not the hub's own"))
    group = found.st_gid if group is None else group
    if (found.st_mode & 0o7777, found.st_gid) != (mode, group):
        os.fchown(descriptor, -1, group)
        os.fchmod(descriptor, mode)
        yield Text(f"{name}：权限 {mode:o}", f"{name}: mode {mode:o}")


@contextmanager
def _opened(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
