"""What a control session tells its owner. Made by `appliance.core.session` alone."""

from typing import Any

import msgspec

from appliance.core.errors import Text
from appliance.core.journal import Checkpoint, Position, Record
from appliance.core.judge import Verdict
from appliance.core.key_term import Key
from appliance.core.snapshot import Statement
from appliance.core.wire import DeliveryVerdict


class Greeted(msgspec.Struct, frozen=True):
    """The peer's hello: `have` is what it holds of our streams, `heads` where its own streams stand.

    `machine` tells a box's machine from another; "" when it does not say, and of a hub. `hub_key` is the hub's signing
    key as the peer has it: of a box the one that it trusts, of a hub its own; "" when it does not say.
    `gives_bytes_max`: of a hub, the largest asset that it gives in the session; 0: none.
    `key`: of a hub, for how long the box's keys are good; `keeps_backups`: how many backups of the box it keeps.
    """

    peer: str
    software: str
    time_us: int
    have: dict[str, Position]
    heads: dict[str, Position]
    machine: str = ""
    hub_key: str = ""
    gives_bytes_max: int = 0
    key: Key = Key()
    keeps_backups: int = 0


class RecordsArrived(msgspec.Struct, frozen=True):
    """To be judged, and answered by `ack` or `refuse`."""

    stream: str
    records: tuple[Record, ...]
    checkpoint: Checkpoint | None


class CheckpointArrived(msgspec.Struct, frozen=True):
    """To be judged; not answered, but for `refuse` when it tells of a fork or a rewind."""

    stream: str
    checkpoint: Checkpoint


class SnapshotArrived(msgspec.Struct, frozen=True):
    """A snapshot is on its way: its records come as `RecordsArrived` without a checkpoint. Refuse it, or take them."""

    stream: str
    statement: Statement


class BrokenArrived(msgspec.Struct, frozen=True):
    """Something on this stream was no record or no checkpoint. It is refused already; this is for the log."""

    stream: str
    reason: Text


class Acked(msgspec.Struct, frozen=True):
    """The peer holds our stream up to here."""

    position: Position


class RefusedBy(msgspec.Struct, frozen=True):
    """The peer reads no more of this stream in this session."""

    stream: str
    verdict: Verdict
    reason: Text


class Asked(msgspec.Struct, frozen=True):
    """The writer of a stream that we read does not know the place where we stand: `give_back` what follows the newest
    of these places that we have."""

    stream: str
    trail: tuple[Position, ...]


class Returned(msgspec.Struct, frozen=True):
    """What the reader of our stream holds behind `since`; no records: nothing more that we signed."""

    stream: str
    since: Position
    records: tuple[Record, ...]
    checkpoint: Checkpoint | None


class EvidenceArrived(msgspec.Struct, frozen=True):
    """Records that lost their place to what we hold: to be kept beside the stream, once their signature is checked."""

    stream: str
    records: tuple[Record, ...]
    checkpoint: Checkpoint


class Wanted(msgspec.Struct, frozen=True):
    """The hub has lost these assets."""

    digests: tuple[str, ...]


class GiveAsked(msgspec.Struct, frozen=True):
    """The box asks for small assets: `give` each, or say that you `cannot_give` it."""

    digests: tuple[str, ...]


class AssetGiven(msgspec.Struct, frozen=True):
    """An asset that was asked for; its bytes are what the digest says."""

    digest: str
    content: bytes


class AssetNotGiven(msgspec.Struct, frozen=True):
    """One that was asked for and does not come in this session. `is_wrong`: bytes came, and they were others."""

    digest: str
    reason: Text
    is_wrong: bool = False


class StatusArrived(msgspec.Struct, frozen=True):
    """How the box says it is."""

    status: dict[str, Any]


class Delivered(msgspec.Struct, frozen=True):
    """An asset lies complete in `incoming`: look, and `answer_delivered`. `is_backup`: it is to be kept as one."""

    digest: str
    is_backup: bool = False


class DeliveredAnswered(msgspec.Struct, frozen=True):
    """What the hub found."""

    digest: str
    verdict: DeliveryVerdict
    reason: Text


class Pong(msgspec.Struct, frozen=True):
    """The line is alive."""

    n: int


class PeerSaidBye(msgspec.Struct, frozen=True):
    """Nothing more will come."""

    reason: Text


Event = (
    Greeted | RecordsArrived | CheckpointArrived | SnapshotArrived | BrokenArrived | Acked | RefusedBy
    | Asked | Returned | EvidenceArrived | Wanted | GiveAsked | AssetGiven | AssetNotGiven | StatusArrived
    | Delivered | DeliveredAnswered | Pong | PeerSaidBye
)  # fmt: skip
