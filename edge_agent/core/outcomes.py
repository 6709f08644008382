"""What came of what was begun, as data: `execute` and the conversation find it out, `edge_agent/record.py` notes it."""

import enum
from typing import Literal

import msgspec

from appliance.core.asset import Asset, Rendition
from appliance.core.command import Command
from appliance.core.errors import Text
from appliance.core.findings import Check
from appliance.core.wire import DeliveryVerdict
from edge_agent.core.journey import Answer


class Outcome(msgspec.Struct, frozen=True):
    """Something that happened."""


class Began(Outcome, frozen=True):
    """A transfer runs now."""

    digests: tuple[str, ...]
    is_upload: bool


class Moved(Outcome, frozen=True):
    """A transfer runs still, and is so far."""

    digest: str
    is_upload: bool
    done_bytes: int
    rate_bytes_per_s: float


class Carried(Outcome, frozen=True):
    """The line carried so much one way in so much time in which transfers ran."""

    is_upload: bool
    bytes: int
    busy_us: int


class Result(enum.Enum):
    """How a transfer ended."""

    DONE = "done"
    MISSING = "missing"
    """The hub has it not, or does not let this site read it."""
    NO_ROOM = "no_room"
    DISK = "disk"
    """Our own disk does not take it."""
    LINE = "line"
    """The hub was not reached, or the line broke: go on when it is back."""
    LOCKED_OUT = "locked_out"
    STOPPED = "stopped"
    """We ended it ourselves."""
    FAILED = "failed"


class Ceased(Outcome, frozen=True):
    """A transfer of an asset has ended; `done_bytes` of a fetched one are staged."""

    digest: str
    is_upload: bool
    result: Result
    reason: Text
    done_bytes: int = 0


class Arrived(Outcome, frozen=True):
    """A staged file is an asset now. `segments` when it is a rendition."""

    digest: str
    size_bytes: int
    frames: int | None = None
    segments: bytes | None = None


class Unusable(Outcome, frozen=True):
    """An asset is here, and not what it should be used for: a rendition that is not in house format."""

    digest: str
    reason: Text


class Spoilt(Outcome, frozen=True):
    """Bytes were not what they are called; they are in quarantine, the asset must come again.

    `is_disk`: the disk did not give them back.
    """

    digest: str
    reason: Text
    was_here: bool
    is_disk: bool = False


class Verified(Outcome, frozen=True):
    """An asset was read again and is right."""

    digest: str
    size_bytes: int = 0


class Packaged(Outcome, frozen=True):
    """An asset was brought to house format; the file is staged under the rendition's digest.

    `segments` where the asset itself is in house format: then nothing is staged.
    """

    source: str
    rendition: Rendition
    check: Check
    segments: bytes | None = None


class NotPackaged(Outcome, frozen=True):
    """It could not be brought to house format: never (`is_final`), or not now."""

    source: str
    reason: Text
    is_final: bool
    no_room: bool = False
    check: Check | None = None


class ChunkCame(Outcome, frozen=True):
    """A chunk of a live source is here, in its place. `key` names the entry, `source_us` when it was shown there."""

    key: str
    digest: str
    size_bytes: int
    frames: int
    burst_s: float
    source_us: int | None = None


class SourceAnswered(Outcome, frozen=True):
    """A live source was asked or followed; the reason says why it does not answer as it should, None: it does."""

    url: str
    reason: Text | None


class ImportBroke(Outcome, frozen=True):
    """Following the source of a live entry ended before its time; it is begun again."""

    key: str
    url: str
    reason: Text


class CommandRead(Outcome, frozen=True):
    """A command of the spool, with its files taken in."""

    name: str
    command: Command
    files: tuple[Asset, ...] = ()


class CommandUnusable(Outcome, frozen=True):
    """A file of the spool that is no command, or one whose files are not what they say."""

    name: str
    reason: Text
    command: Command | None = None


class DropRead(Outcome, frozen=True):
    """A file of the drop folder was taken in."""

    key: str
    file: Asset


class Copied(Outcome, frozen=True):
    """A file of a person was copied and then not wanted: it goes again if nothing else has it."""

    digest: str


class DropUnusable(Outcome, frozen=True):
    """It was not, and will not be as it is."""

    key: str
    reason: Text


class DropsToTell(Outcome, frozen=True):
    """The drop folder's notice was written: key, name and reason of each entry that is not taken."""

    entries: tuple[tuple[str, str, Text], ...]


class Looked(Outcome, frozen=True):
    """A process looked at the stick of an import; `words` is what it was asked."""

    name: str
    words: tuple[str, ...]
    answer: Answer


class Answered(Outcome, frozen=True):
    """The hub looked at what was delivered."""

    digest: str
    verdict: DeliveryVerdict
    reason: Text


class LetGo(Outcome, frozen=True):
    """An asset's file is not here any more."""

    digest: str


class Failed(Outcome, frozen=True):
    """Something could not be done now; it is tried again. `subject` is what the step was about."""

    subject: str
    reason: Text
    no_room: bool = False
    is_disk: bool = False
    """The disk does not take or give what it should."""


class RoomToTell(Outcome, frozen=True):
    """So many bytes lack on the disk for what should come; 0: there is room again."""

    short_bytes: int


class Due(Outcome, frozen=True):
    """The ledger, the as-run log, how the box is, what became of the disk of the assets, or how far an import from a
    stick is has to be written now."""

    what: Literal["compile", "log_aired", "report", "media_away", "take_stock", "carrying"]


class KeysRenewed(Outcome, frozen=True):
    """This box has new keys, and the hub has heard of it."""


class Reached(Outcome, frozen=True):
    """The hub was reached: what waited for the line need not wait any longer."""
