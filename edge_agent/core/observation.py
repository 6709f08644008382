"""All that the plan may know, gathered once a turn by `edge_agent/observe.py`. Pure data; moments are microseconds.

`now_us` never goes back, not even when the clock of the machine does (`appliance.core.air.air_now_us`).
"""

from typing import Literal

import msgspec

from appliance.core.timetable import Allowance

Work = Literal[
    "fetch", "upload", "adopt", "verify", "package", "take", "base", "share", "look", "carry", "import", "ask", "renew"
]
"""What a child process of the agent can be busy with; `take` is reading a dropped or submitted file, `share` holding a
connection open for transfers, `look` and `carry` reading a stick, `import` following a live source, `ask` asking it,
`renew` changing the keys of this box."""


class Child(msgspec.Struct, frozen=True):
    """A process at work. `subjects` are digests; for `take` and `look` the key of a drop or the name of a command."""

    work: Work
    subjects: tuple[str, ...]
    deadline_us: int | None = None
    bytes_per_s: int = 0
    """What a transfer was told that it may use of the line; 0: all there is."""


class Link(msgspec.Struct, frozen=True):
    """The line to the hub. `alone`: this box has none. `may_deliver`: how many deliveries may be told now.

    `is_settled`: nothing more is to be expected of it for now - it is away, or both sides have all there is.
    """

    state: Literal["alone", "away", "dialling", "connected"]
    next_attempt_us: int = 0
    may_deliver: int = 0
    is_settled: bool = True
    gives_bytes_max: int = 0
    """Assets up to this size can be had in the session itself; 0: none."""
    given: frozenset[str] = frozenset()
    """Those that the hub was asked for, and that came and are not taken in yet;"""
    given_bytes: int = 0
    """so much of them is on its way,"""
    given_bytes_per_s: float | None = None
    """and so fast they come; None: not measured in this session."""


class Wanted(msgspec.Struct, frozen=True):
    """An asset that must be here and is not. `staged_bytes` of it lie in `incoming`, -1 where there is no file."""

    digest: str
    size_bytes: int
    staged_bytes: int = -1
    deadline_us: int | None = None
    is_for_air: bool = False
    has_failed: bool = False
    """It travels alone, so that it fails alone."""
    base: str | None = None
    """What is here and probably much like it."""
    has_basis: bool = False
    """A basis was laid for it."""
    is_on_stick: bool = False
    """It lies whole on the stick that is being imported."""
    is_due: bool = True
    """False while it waits after a failure."""


class Outgoing(msgspec.Struct, frozen=True):
    """An asset of a submission. `is_there`: rsync has brought it up; `is_told`: in this session the hub was told so."""

    digest: str
    size_bytes: int
    deadline_us: int | None = None
    is_there: bool = False
    is_told: bool = False
    has_failed: bool = False
    is_due: bool = True


class Unpackaged(msgspec.Struct, frozen=True):
    """An asset that is here and has to be brought to house format here."""

    source: str
    size_bytes: int
    deadline_us: int | None = None
    is_due: bool = True


class Airing(msgspec.Struct, frozen=True):
    """A live entry whose source is to be followed now, and until when. `key` names the entry."""

    key: str
    url: str
    until_us: int
    is_due: bool = True


class Waiting(msgspec.Struct, frozen=True):
    """A command of the spool or a settled file of the drop folder, by name or key."""

    key: str
    size_bytes: int = 0
    is_due: bool = True


class Space(msgspec.Struct, frozen=True):
    """`evictable`: (digest, bytes) that may go, the first one first. `reserve_bytes` is to stay free; assets, what is
    staged and what is in quarantine have `cache_bytes` together, and may have `cache_bytes_max` (0: no such bound).

    `is_told`: it was said that there is no room. `full_until_us`: the disk itself said so, and is believed until then.
    """

    free_bytes: int
    reserve_bytes: int
    evictable: tuple[tuple[str, int], ...] = ()
    is_told: bool = False
    full_until_us: int = 0
    cache_bytes: int = 0
    cache_bytes_max: int = 0


class Observation(msgspec.Struct, frozen=True):
    """What the world looked like at `now_us`."""

    now_us: int
    space: Space
    media: Literal["here", "away", "told", "back"] = "here"
    """`away`: the folder of the assets is not the one that we know, its disk is not mounted; `told`: and that was said.
    Nothing else is then seen of assets. `back`: it is there again, and nobody has looked at what it holds."""
    link: Link = Link("alone")
    must_renew_keys: bool = False
    """The hub has said that it is time, and it has not just failed."""
    children: tuple[Child, ...] = ()
    commands: tuple[Waiting, ...] = ()
    drops: tuple[Waiting, ...] = ()
    drops_to_tell: bool = False
    is_settling: bool = False
    """A file was dropped that will be taken if it stays as it is."""
    wanted: tuple[Wanted, ...] = ()
    outgoing: tuple[Outgoing, ...] = ()
    unpackaged: tuple[Unpackaged, ...] = ()
    airing: tuple[Airing, ...] = ()
    unasked: tuple[str, ...] = ()
    """Addresses of live sources that it is time to ask."""
    live_over: tuple[str, ...] = ()
    """Chunks of live sources that nobody can ask for any more."""
    allowance: Allowance = Allowance()
    """What transfers may use of the line now."""
    rate_bytes_per_s: float | None = None
    """What the line carries down, as measured lately; None before anything was."""
    servable: frozenset[str] = frozenset()
    served: frozenset[str] = frozenset()
    recalled: tuple[str, ...] = ()
    """On disk, but nothing may use them any more."""
    unwanted_staged: tuple[str, ...] = ()
    quarantine_over: tuple[str, ...] = ()
    """Names in quarantine that may go."""
    unverified: tuple[str, ...] = ()
    """To be read again now, what airs soonest first,"""
    verify_bytes_per_s: int = 0
    """at most so fast."""
    air_changed: bool = False
    """Whether something was learned that the ledger does not know yet."""
    compiled_us: int = 0
    arranged_us: int = 0
    """When the library was last brought in line."""
    aired_us: int = 0
    """When as-run rows were last written."""
    reported_us: int = 0
    changed_us: int = 0
    """When something last happened that readiness depends on."""
    next_moment_us: int | None = None
    """When the world changes by itself: an item's time comes, a wait ends, a dropped file will have settled."""


class Policy(msgspec.Struct, frozen=True):
    """Bounds on what runs at once, and how often what recurs recurs."""

    fetches_max: int = 2
    uploads_max: int = 2
    packagings_max: int = 1
    readings_max: int = 2
    """Processes that read files through: adopt, verify, take."""
    adoptions_max: int = 20
    """Small staged files that are read in one turn, which takes a few milliseconds each. More are read by a process."""
    small_bytes_max: int = 1024 * 1024
    """What is larger is read by a process."""
    batch_files_max: int = 900
    """As many as the hub's gate and rsync let one transfer name."""
    batch_bytes_max: int = 32 * 1024 * 1024
    """Small assets travel together: one connection for many. A larger one travels alone."""
    give_files_max: int = 768
    """What the hub is asked for in the session at once: so many files at most,"""
    give_behind_max: int = 2048
    """What may be asked for as others come: enough until the next plan."""
    give_us: int = 250_000
    """and as much as the line carries in this time: a recall comes behind what is on its way."""
    give_bytes: tuple[int, int] = (64 * 1024, 1024 * 1024)
    """At least, so that small ones do not wait for each other's round trip; and at most."""
    give_unmeasured_bytes: int = 256 * 1024
    """The same where nothing was measured yet."""
    sharing_files_min: int = 200
    """Where so many more small ones wait, the transfers that follow share a connection."""
    links_max: int = 1000
    """Links that are made in one turn, in some tens of milliseconds."""
    asks_max: int = 4
    """Live sources that are asked at once."""
    exempt_us: int = 2 * 3600 * 1_000_000
    """What airs within this time is not slowed down."""
    preempt_us: int = 600 * 1_000_000
    """A running transfer gives way to one that is due this much earlier."""
    steps_max: int = 200
    look_again_us: int = 5 * 1_000_000
    """The longest pause between two looks: not every file system tells watchers of changes."""
    progress_us: int = 1_000_000
    """The longest pause while something runs."""
    compile_pause_us: int = 100_000
    """The shortest time between two compilations, so that a flood of records does not starve all else."""
    compile_every_us: int = 600 * 1_000_000
    """The ledger grows at its far end also when nothing happens; it reaches hours beyond the day it has to."""
    arrange_pause_us: int = 2 * 1_000_000
    """The library follows the ledger, not each of its changes."""
    aired_every_us: int = 10 * 1_000_000
    report_every_us: int = 10 * 1_000_000
    report_pause_us: int = 500_000
    """How the box is, with its readiness and alarms, is told within a second of what changes it, and not more often."""
