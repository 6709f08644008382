"""How the box is: everything that the overview shows and `songshan status --json` prints, as one value.

    Snapshot
      on_air       per channel: now, next, planned or not, how far the air ledger reaches
      outputs      per channel with one: who sends to the modulator, and what the probe found
      coming       what is not ready of the next 24 hours
      lost         what hard starts cut or drop of them
      refused      schedules and templates that could not be taken
      live         live entries that run or come soon
      link         the hub: connected, offline, locked out; since when
      sync         streams, what waits to go up and down
      storage      the disk of the media
      carrying     an import from a stick
      packaging    the clip that is being brought to house format
      clock        whether the time is right
      key          for how long the hub lets this site in with the keys that it has (core/key_term.py)
      machine      processor, memory, temperature
      agent        whether the loop runs
      backup       the nightly backups (core/backup.py)
      release      which software runs, and how far an upgrade is (core/release.py)
      alarms       what is wrong and what to do
      submissions, orders

Moments are microseconds since 1970 in fields ending `_us`, None where nothing is known; what was seen by the agent
carries the moment when (`at_us`). `appliance.core.facts.as_facts` turns it all into JSON for programs.
"""

from typing import Final, Literal

import msgspec

from appliance.core.backup import BackupFact
from appliance.core.errors import Text
from appliance.core.key_term import Key
from appliance.core.release import ReleaseFact

Severity = Literal["red", "amber", "info"]
"""red: on the air, or soon not, or data in danger: act now. amber: act today. info: normal, and good to know."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something is not as it should be. `id` stays the same as long as it is the same thing."""

    id: str
    severity: Severity
    text: Text
    hint: Text


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """A finding and since when it holds."""

    id: str
    severity: Severity
    text: Text
    hint: Text
    since_us: int


class OnAir(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel plays. `kind` is that of the schedule's entry, `filler` or `slate`; `planned` is False where
    something else should be there, and `reason` says why it is not."""

    channel: str
    name: str
    title: str = ""
    kind: str = "slate"
    planned: bool = False
    reason: Text | None = None
    since_us: int | None = None
    until_us: int | None = None
    next_title: str = ""
    next_kind: str = ""
    next_at_us: int | None = None
    plan: str = ""
    """Whose schedule is on the air: `schedule` of the day, `template` of the weekday, `default` programme, nobody's."""
    schedule_version: int | None = None
    """Its version; during a break-in that of what goes on behind it."""
    next_version: int | None = None
    """A newer version of the day that waits for the freeze, and takes effect at `next_version_at_us`."""
    next_version_at_us: int | None = None
    ledger_until_us: int | None = None
    """The air ledger is committed up to here; after it the slate plays."""
    next_day: str = ""
    """The broadcast day that comes, when it begins, and who plans it: `schedule`, `template`, `default`, "" nobody."""
    next_day_at_us: int | None = None
    next_day_plan: str = ""
    fillers: int = 0
    fillers_ready: int = 0
    """Of its fillers, those that can air."""
    insert: str | None = None
    """The digest of the emergency insertion that is on the air."""


class NotReady(msgspec.Struct, frozen=True, kw_only=True):
    """A coming entry that is not ready: see `appliance.core.readiness`."""

    channel: str
    title: str
    start_us: int
    state: Literal["ready_by", "late_by", "cannot"]
    reason: Text | None = None
    todo: Text | None = None
    is_at_risk: bool = False


class LiveFact(msgspec.Struct, frozen=True, kw_only=True):
    """A live entry that runs, or begins within half an hour.

    `unasked`, `reachable`, `unreachable`: before it begins, by the last answer of its source (`asked_us`, `reason`).
    Then `on`: the source is on the air; `waiting`: nothing came of it yet; `lost`: nothing comes any more.
    `delay_s`: how far the air is behind the source, where the source tells its time. `url` is as people may see it.
    """

    channel: str
    entry_id: str
    title: str
    url: str
    state: Literal["unasked", "reachable", "unreachable", "on", "waiting", "lost"]
    start_us: int
    until_us: int
    asked_us: int | None = None
    reason: Text | None = None
    delay_s: float | None = None


LIVE_STATES: Final = {
    "unasked": Text("待检查", "not asked yet"),
    "reachable": Text("信号源正常", "its source answers"),
    "unreachable": Text("连不上信号源", "its source does not answer"),
    "on": Text("直播中", "on the air"),
    "waiting": Text("等待信号源", "waits for its source"),
    "lost": Text("信号中断", "its source is lost"),
}


class LostEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A coming entry that a hard start cuts or drops; `lost_s` of it are not seen."""

    channel: str
    title: str
    start_us: int
    lost_s: float
    is_dropped: bool


class RefusedPlan(msgspec.Struct, frozen=True):
    """A schedule, or with no `date` a template, that came and could not be taken. `stands`: the one that goes on."""

    channel: str
    date: str
    version: int
    reason: Text
    stands: int | None = None


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """The line to the hub. `alone` is a box without a hub in its config."""

    state: Literal["alone", "connecting", "connected", "offline", "locked_out", "shut_out"] = "connecting"
    hub: str = ""
    since_us: int | None = None
    round_trip_ms: float | None = None
    reason: Text | None = None
    next_try_us: int | None = None
    at_us: int | None = None


class StreamFact(msgspec.Struct, frozen=True, kw_only=True):
    """How far a stream has come. The next checkpoint was due by `next_by_us`."""

    stream: str
    epoch: int
    seq: int
    checkpoint_at_us: int | None = None
    next_by_us: int | None = None


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """Assets that wait or travel in one direction."""

    waiting: int = 0
    running: int = 0
    failed: int = 0
    left_bytes: int = 0
    rate_bytes_per_s: float | None = None


class Sync(msgspec.Struct, frozen=True, kw_only=True):
    """What hub and box still have to tell each other."""

    streams: tuple[StreamFact, ...] = ()
    down: Queue = Queue()
    up: Queue = Queue()
    unsent_records: int = 0
    parked_records: int = 0
    held_records: int = 0
    """Recalls and the like that wait for a fresh signature of the hub."""
    spool_waiting: int = 0


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    """The disk that the media lie on. Below `reserve_bytes` free, nothing that is not about to air is fetched."""

    total_bytes: int
    free_bytes: int
    reserve_bytes: int
    media_bytes: int = 0
    assets_here: int = 0
    assets_wanted: int = 0
    assets_bad: int = 0
    assets_unread: int = 0
    """Not read again within `verify_days` and a day."""
    cache_bytes_max: int = 0
    """What `media_bytes` should not exceed; 0: no such bound."""
    catchup_gone: int = 0
    """Programmes of the days that can be seen again whose files are not here any more, and were not recalled."""


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the folder of the assets is the one that the box knows; `is_away`: its disk is not mounted."""

    is_away: bool = False
    at_us: int | None = None


class Web(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the web server is there. `is_known`: it was at some time; `down_since_us`: since when it is not."""

    is_known: bool = False
    down_since_us: int | None = None
    at_us: int | None = None


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the kernel's clock follows a time server; `hub_offset_ms` is how far the hub's is ahead of ours."""

    synchronised: bool | None = None
    hub_offset_ms: float | None = None
    at_us: int | None = None


class Carrying(msgspec.Struct, frozen=True, kw_only=True):
    """An import from a stick: the one under way, or the last one. `command` is its name in the spool.

    `loaded_at` is when the hub wrote the stick, and `not_carried` how many assets it had no room for.
    """

    state: Literal["none", "reading", "copying", "done", "failed"] = "none"
    command: str = ""
    path: str = ""
    began_us: int | None = None
    loaded_at: str | None = None
    records: int = 0
    assets_done: int = 0
    assets_left: int = 0
    assets_failed: int = 0
    bytes_done: int = 0
    bytes_left: int = 0
    rate_bytes_per_s: float | None = None
    not_carried: int = 0
    reason: Text | None = None
    at_us: int | None = None


class Packaging(msgspec.Struct, frozen=True, kw_only=True):
    """The clip that is being brought to house format; `source` is None where none is. `done` is of the phase."""

    source: str | None = None
    name: str = ""
    phase: Literal["listening", "coding"] | None = None
    done: float = 0.0
    ends_us: int | None = None
    at_us: int | None = None


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine under the box."""

    cpu_percent: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    load_1m: float | None = None
    temperature_c: float | None = None
    uptime_s: float | None = None
    at_us: int | None = None


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """The loop. `at_us` is when it last said that it runs."""

    state: Literal["running", "silent", "never"] = "never"
    pid: int | None = None
    started_at_us: int | None = None
    version: str = ""
    at_us: int | None = None


class OutputFact(msgspec.Struct, frozen=True, kw_only=True):
    """A channel's output for a modulator. `sender` is who sends now, None when nobody does.

    `fault` is what the probe found last, and `is_probed` whether it listens; counts are since the parts were started.
    """

    channel: str
    name: str
    address: str
    sender: Literal["main", "standby"] | None = None
    sent_until_us: int | None = None
    told_at_us: int | None = None
    standby: Literal["none", "ready", "gone"] = "none"
    network: Text | None = None
    note: Text | None = None
    lost_datagrams: int = 0
    late_pictures: int = 0
    skipped_ms: float = 0.0
    is_probed: bool = False
    probe_at_us: int | None = None
    continuity_errors: int | None = None
    pcr_interval_max_ms: float | None = None
    fault: Text | None = None
    fault_at_us: int | None = None
    black_since_us: int | None = None
    still_since_us: int | None = None
    """Since when the pictures are black, or one and the same."""


class SubmissionFact(msgspec.Struct, frozen=True, kw_only=True):
    """Something that this site sends up, until the hub's receipt and after. `digest` is its first asset."""

    id: str
    item: str
    title: str
    file_name: str
    digest: str
    state: Literal["waiting", "sending", "sent", "accepted", "refused"]
    created_at_us: int
    changed_at_us: int
    reason: Text | None = None


class OrderFact(msgspec.Struct, frozen=True, kw_only=True):
    """What the command desk asked and what the site said to it."""

    id: str
    title: str
    body: str
    state: Literal["new", "answered", "withdrawn"]
    received_at_us: int
    due_us: int | None = None
    answer: str | None = None
    note: str | None = None
    answered_by: str | None = None
    answered_at_us: int | None = None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All of it at one moment. Without a database everything but site, storage and alarms is empty."""

    site: str
    name: str
    zone: str
    now_us: int
    version: str
    on_air: tuple[OnAir, ...] = ()
    outputs: tuple[OutputFact, ...] = ()
    coming: tuple[NotReady, ...] = ()
    live: tuple[LiveFact, ...] = ()
    lost: tuple[LostEntry, ...] = ()
    refused: tuple[RefusedPlan, ...] = ()
    link: Link = Link()
    sync: Sync = Sync()
    storage: Storage | None = None
    carrying: Carrying = Carrying()
    packaging: Packaging = Packaging()
    clock: Clock = Clock()
    key: Key = Key()
    machine: Machine = Machine()
    agent: Agent = Agent()
    web: Web = Web()
    backup: BackupFact = BackupFact()
    release: ReleaseFact = ReleaseFact()
    alarms: tuple[Alarm, ...] = ()
    submissions: tuple[SubmissionFact, ...] = ()
    orders: tuple[OrderFact, ...] = ()

    @property
    def severity(self) -> Severity | None:
        """The worst that is wrong, None when nothing is."""
        found = {alarm.severity for alarm in self.alarms}
        return next((severity for severity in ("red", "amber", "info") if severity in found), None)
