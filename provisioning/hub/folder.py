"""The hub folder: where everything of a hub lies. Any POSIX file system will do.

hub.toml                        who the hub is, and its limits
keys/{sign,ssh_host_ed25519_key}
keys/rotations/<n>.json         what each change of the signing key left behind (`provisioning.hub.keys`)
ssh/{sshd_config,authorized_keys}
ssh/accounts/<account>          the same, where each site has an account of its own (`provisioning.hub.accounts`)
journals/<scope>/<name>/        the hub's own streams: all/control, all/content, <site>/control, <site>/content
assets/ab/<hex>                 every asset and rendition, by digest
renditions/<source hex>.json    what became of a source in house format
sites/<site>/                   what a site may read, what came up from it (`SiteFolder`)
claims/<id>.json                one-off invitations
backups/<site>/                 sealed backups of the boxes (`provisioning.hub.backups`)
log/refusals.jsonl              what was asked for and not given
fleet/                          what the watch remembers, and letters that wait to leave (`provisioning.fleet.watch`)
lock                            held while anything is appended or changed
"""

import fcntl
import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from appliance.clock import SYSTEM_CLOCK, Clock
from appliance.core.errors import OperatorError, Text
from appliance.core.key_term import KeyPolicy
from appliance.core.loudness import LOUDNESS_LUFS

SITE_ID: Final = re.compile(r"[a-z][a-z0-9-]{1,31}")
RESERVED_SITE_IDS: Final = frozenset({"all", "hub"})
GIB: Final = 1024**3
Days = Annotated[int, msgspec.Meta(ge=0, le=36_500)]


class HubSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """hub.toml. Sizes in bytes."""

    id: str
    host: str
    """The name or address that boxes connect to; it goes into the bundles."""
    port: int
    user: str
    """The account that owns the folder. Without `accounts` sshd lets every box in as this one."""
    accounts: bool = False
    """Each site comes in as an account of its own, which reaches its own files and the gate's socket, nothing else."""
    account_number_first: int = 47_000
    """User and group number of the first of these; the same on every gateway of one hub."""
    gate_socket: str = "/run/songshan-hub/gate"
    """Where those accounts find the gate."""
    listen: tuple[str, ...] = ()
    """Addresses that the hub's sshd listens on; () is all of them."""
    offer_submissions: bool = True
    """Whether what a site sends up goes straight to the supermarket once it is accepted."""
    upload_bytes_max: int = 64 * GIB
    """The largest file that a site may send: four hours of broadcast master."""
    uploads_max: int = 64
    """Files of one site that may lie unaccepted at the hub."""
    site_bytes_max: int = 256 * GIB
    """What one site's unaccepted files may take up together."""
    backups: str = ""
    """Where nightly backups go; another disk than this one's. "" is nowhere."""
    backups_kept: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 14
    """Of the sealed backups that each box sends by night so many stay here; 0: none is taken."""
    backup_bytes_max: Annotated[int, msgspec.Meta(ge=0)] = 4 * GIB
    """The largest of them: a database of several years."""
    loudness_lufs: float = LOUDNESS_LUFS
    """What the sound of every clip is brought to."""
    key_valid_days: Days = KeyPolicy().valid_days
    """A box's keys are good for so long; 0: they never run out. What the three are and why: `core.key_term`."""
    key_renew_before_days: Days = KeyPolicy().renew_before_days
    """So long before the end a box begins to change them by itself."""
    key_grace_days: Days = KeyPolicy().grace_days
    """So long after the end they may still be changed, and nothing else."""
    alarms: dict[str, Any] = {}
    """The table [alarms], as it stands there. Only the watch reads it (`provisioning.fleet.settings`), so that a slip
    in it shuts out no box."""

    @property
    def key_policy(self) -> KeyPolicy:
        """For how long keys are good."""
        return KeyPolicy(self.key_valid_days, self.key_renew_before_days, self.key_grace_days)


@dataclass(frozen=True)
class SiteFolder:
    """sites/<site>: all of it belongs to one site, and only `readable` and `incoming` are within its reach."""

    path: Path

    @property
    def facts(self) -> Path:
        return self.path / "site.json"

    @property
    def status(self) -> Path:
        """The last status that the box sent."""
        return self.path / "status.json"

    @property
    def readable(self) -> Path:
        """Hard links of the assets that the site may fetch."""
        return self.path / "readable"

    @property
    def incoming(self) -> Path:
        """Where the site's rsync writes."""
        return self.path / "incoming"

    @property
    def uploaded(self) -> Path:
        """Verified uploads that no accepted submission has claimed yet; out of the site's reach."""
        return self.path / "uploaded"

    @property
    def journal(self) -> Path:
        """The site's report stream, as received."""
        return self.path / "journal"

    @property
    def machines(self) -> Path:
        """Which machines stood for the site, and whether it is fenced."""
        return self.path / "machines.json"

    @property
    def session(self) -> Path:
        """Held locked by the process of the site's current control session."""
        return self.path / "session"


@dataclass(frozen=True)
class HubFolder:
    """All of a hub, and the clock that its work goes by."""

    path: Path
    clock: Clock = SYSTEM_CLOCK

    def now_us(self) -> int:
        """The time of day, in microseconds since 1970."""
        return self.clock.wall_us()

    @property
    def settings_file(self) -> Path:
        return self.path / "hub.toml"

    @property
    def sign_key(self) -> Path:
        return self.path / "keys" / "sign"

    @property
    def next_sign_key(self) -> Path:
        """The key that will sign, while it is being changed."""
        return self.path / "keys" / "sign.next"

    @property
    def rotations(self) -> Path:
        return self.path / "keys" / "rotations"

    @property
    def host_key(self) -> Path:
        return self.path / "keys" / "ssh_host_ed25519_key"

    @property
    def ssh(self) -> Path:
        return self.path / "ssh"

    @property
    def authorized_keys(self) -> Path:
        return self.ssh / "authorized_keys"

    @property
    def account_keys(self) -> Path:
        """A file for each site's account, in the place of `authorized_keys`."""
        return self.ssh / "accounts"

    @property
    def journals(self) -> Path:
        return self.path / "journals"

    @property
    def assets(self) -> Path:
        return self.path / "assets"

    @property
    def renditions(self) -> Path:
        return self.path / "renditions"

    @property
    def fossils(self) -> Path:
        """A file for each asset that nothing referred to when it was last looked at: since when."""
        return self.path / "fossils"

    @property
    def sites(self) -> Path:
        return self.path / "sites"

    @property
    def claims(self) -> Path:
        return self.path / "claims"

    def backups_of(self, site: str) -> Path:
        """The sealed backups of a site's box."""
        assert is_site_id(site), site
        return self.path / "backups" / site

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def fleet(self) -> Path:
        return self.path / "fleet"

    def site(self, site: str) -> SiteFolder:
        assert is_site_id(site), site
        return SiteFolder(self.sites / site)

    def stream(self, stream: str) -> Path:
        """Where a stream of the hub, or what a site reported, is kept."""
        scope, name = stream.split("/")
        return self.site(scope).journal if name == "report" else self.journals / scope / name

    def settings(self) -> HubSettings:
        """hub.toml; OperatorError when this is not a hub, or with what is wrong in it."""
        try:
            return msgspec.convert(tomllib.loads(self.settings_file.read_text()), HubSettings)
        except FileNotFoundError as error:
            raise OperatorError(
                Text(f"{self.path} 不是嵩山云文件夹", f"{self.path} is not a hub folder"),
                hint=Text("先运行 songshan-hub init", "run songshan-hub init first"),
            ) from error
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise OperatorError(Text(f"{self.settings_file}：{error}", f"{self.settings_file}: {error}")) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the hub's one lock. Not reentrant: the caller that needs two changes in one makes them in one."""
        # Nobody else may open it, for who can open it can hold it.
        with open(self.path / "lock", "ab", opener=_private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def render_settings(settings: HubSettings) -> str:
    """hub.toml as text; tables behind what stands above all of them."""
    return "".join(_toml(msgspec.to_builtins(settings), ""))


def _toml(table: dict[str, Any], name: str) -> Iterator[str]:
    inner = {key: value for key, value in table.items() if isinstance(value, dict)}
    for key, value in table.items():
        if key not in inner:
            # Strings, numbers, truths and lists of them as JSON, which is TOML too but for DEL.
            yield f"{key} = {msgspec.json.encode(value).decode()}\n".replace("\x7f", "\\u007f")
    for key, value in inner.items():
        if value:
            yield f"\n[{name}{key}]\n"
            yield from _toml(value, f"{name}{key}.")


def is_site_id(text: str) -> bool:
    return SITE_ID.fullmatch(text) is not None and text not in RESERVED_SITE_IDS


def parse_site_id(text: str) -> str:
    """The id of a site; OperatorError for anything else."""
    if not is_site_id(text):
        raise OperatorError(
            Text(f"不是县级中心编号：{text[:40]!r}", f"not a site id: {text[:40]!r}"),
            hint=Text("用拼音小写，如 dengfeng", "lower-case pinyin, for example dengfeng"),
        )
    return text
