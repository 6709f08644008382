"""The software on the disk: which releases lie there, which one runs, and how far an upgrade is.

    OPT/releases/VERSION/          an environment of its own; release.json, written last, says that it is whole
    OPT/current                    what the units start: a link, switched by rename
    OPT/previous                   what a rollback goes back to
    OPT/trusted                    what passed its gate last; upgrades are done by its code, not by the newcomer's
    OPT/upgrade.json               the journal of the upgrade (core/release.py)
    HOME/upgrade/                  what is asked of the unit that may change all this

OPT is /opt/songshan, which belongs to root, so that who takes the agent over cannot change what runs after it; in a
home of one's own it is HOME/opt. Anybody may read. Works with everything else dead.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Literal

import msgspec

from appliance.config import Config
from appliance.core.errors import SongshanError, Text, WorldError
from appliance.core.release import (
    REQUEST_BYTES_MAX,
    VERSION,
    Release,
    ReleaseFact,
    Releases,
    Request,
    Upgrade,
    check_version,
    parse_request,
)
from appliance.durable import disk_errors, make_folder, sync_folder, write_atomically
from appliance.stick import regular_below

JOURNAL: Final = "upgrade.json"
MARK: Final = "release.json"
FILE_BYTES_MAX: Final = 1024 * 1024
REQUESTS_MAX: Final = 32
"""More than a person asks for before the first is taken up."""
RELEASES_MAX: Final = 100
READ_BY_ALL: Final = 0o644

Link = Literal["current", "previous", "trusted"]
LINKS: Final[tuple[Link, ...]] = ("current", "previous", "trusted")


def releases(config: Config) -> Releases:
    """All of it as it lies there now; never raises for what the world did: that is `problem`."""
    try:
        upgrade, problem = journal(config), None
    except WorldError as error:
        upgrade, problem = Upgrade(), error.problems[0]
    current = linked(config, "current")
    if problem is None and current and not (config.releases / "releases" / current / MARK).is_file():
        problem = Text(f"现用版本 {current} 不完整", f"the release in use, {current}, is not whole")
    return Releases(
        current=current,
        previous=linked(config, "previous"),
        trusted=linked(config, "trusted"),
        there=tuple(_there(config)),
        upgrade=upgrade,
        waiting=tuple(request for _name, request in waiting(config) if isinstance(request, Request)),
        problem=problem,
    )


def release_fact(config: Config) -> ReleaseFact:
    """The same in short."""
    seen = releases(config)
    return ReleaseFact(
        current=seen.current,
        next_boot=seen.current,
        previous=seen.previous,
        state=seen.upgrade.state,
        new=seen.upgrade.new,
        why=seen.upgrade.why,
        changed_us=seen.upgrade.changed_us or None,
        waiting=len(seen.waiting),
        problem=seen.problem,
    )


def folder_of(config: Config, version: str) -> Path:
    """Where a release lies, or will."""
    return config.releases / "releases" / check_version(version)


def program(config: Config, version: str) -> Path:
    """The `songshan` of a release."""
    return folder_of(config, version) / "bin" / "songshan"


def linked(config: Config, link: Link) -> str:
    """Which release a link names; "" where it names none."""
    try:
        target = str((config.releases / link).readlink())
    except OSError:
        return ""
    version = Path(target).name
    return version if VERSION.fullmatch(version) and target == f"releases/{version}" else ""


def point(config: Config, link: Link, version: str) -> None:
    """Make a link name a release, or be gone for "". Whoever looks sees the old or the new, also after a power cut."""
    path = config.releases / link
    with disk_errors(path):
        if linked(config, link) == version:
            # Who made it may have been killed before its name was durable.
            sync_folder(path.parent)
            return
        if version:
            staged = path.with_name(f".{secrets.token_hex(8)}.part")
            staged.symlink_to(f"releases/{check_version(version)}")
            staged.replace(path)
        else:
            path.unlink(missing_ok=True)
        sync_folder(path.parent)


def journal(config: Config) -> Upgrade:
    """How far an upgrade is; WorldError where the file cannot be read."""
    path = config.releases / JOURNAL
    data = _read(path)
    if data is None:
        return Upgrade()
    try:
        return msgspec.json.decode(data, type=Upgrade)
    except (ValueError, RecursionError) as error:
        raise WorldError(Text(f"{path} 读不出：{error}", f"{path} cannot be read: {error}")) from error


def keep(config: Config, upgrade: Upgrade) -> None:
    """Write the journal; on the disk when this returns."""
    write_atomically(config.releases / JOURNAL, msgspec.json.encode(upgrade), READ_BY_ALL)


def ask(config: Config, request: Request) -> Path:
    """Ask for something; the unit that watches the folder does it, when it can. Raises OperatorError, WorldError."""
    data = msgspec.json.encode(request)
    parse_request(data)
    with disk_errors(config.requests):
        make_folder(config.requests, 0o700)
    path = config.requests / f"{max(0, request.at_us):020d}-{secrets.token_hex(6)}"
    write_atomically(path, data, 0o600)
    return path


def waiting(config: Config) -> list[tuple[str, Request | Text]]:
    """What was asked and not taken up, oldest first, by the name of its file; words where a file is no request.

    The folder is another user's, so it is opened first and nothing below it is followed.
    """
    try:
        with _requests(config) as folder:
            names = sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208
            return [(name, _request(folder, name)) for name in names[:REQUESTS_MAX]]
    except OSError:
        return []


def forget(config: Config, name: str) -> None:
    """A request was taken up, or was none."""
    with disk_errors(config.requests), _requests(config) as folder:
        os.unlink(name, dir_fd=folder)
        os.fsync(folder)


@contextmanager
def _requests(config: Config) -> Iterator[int]:
    folder = os.open(config.requests, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)


def _request(folder: int, name: str) -> Request | Text:
    try:
        with regular_below(folder, name) as descriptor:
            data = os.read(descriptor, REQUEST_BYTES_MAX + 1)
        return parse_request(data)
    except (OSError, SongshanError) as error:
        return Text(f"不是请求：{error}", f"not a request: {error}")


def _there(config: Config) -> list[Release]:
    found = []
    with suppress(OSError):
        for folder in sorted((config.releases / "releases").iterdir())[:RELEASES_MAX]:
            data = _read(folder / MARK) if VERSION.fullmatch(folder.name) else None
            with suppress(ValueError):
                found += [msgspec.json.decode(data, type=Release)] if data is not None else []
    return found


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        cause = error.strerror or str(error)
        raise WorldError(Text(f"{path}：{cause}", f"{path}: {cause}")) from error
