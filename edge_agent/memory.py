"""What one run of the agent remembers between turns, and may forget: everything that counts is in the database."""

from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from appliance.core.asset import Asset
from appliance.core.errors import Text
from appliance.core.moment import US
from appliance.core.scrub import Reading
from appliance.handing import Waiting
from appliance.store.relays import LiveEntry
from appliance.store.work import Fetching, Sending, ToPackage
from edge_agent.arriving import Arriving
from edge_agent.core import retry
from edge_agent.core.basis import Candidate
from edge_agent.core.journey import Journey
from edge_agent.core.observation import Wanted
from edge_agent.drop import Entry, Look
from edge_agent.meter import Meter
from edge_agent.serving import Serving

FORGOTTEN_AFTER_US: Final = 3600 * US
"""What was due again so long ago and was not tried has no reason to be tried any more."""


class Failures(msgspec.Struct, frozen=True):
    """How often something failed in a row, and when it is due again."""

    count: int
    not_before_us: int


class Known(msgspec.Struct, frozen=True):
    """What the database said when it was last asked; asked again when something was written, or at `until_us`."""

    version: int = -1
    until_us: int = 0
    fetches_shown: int = 0
    to_fetch: tuple[Fetching, ...] = ()
    alike: dict[str, tuple[Candidate, ...]] = {}
    to_send: tuple[Sending, ...] = ()
    rate_bytes_per_s: float | None = None
    to_package: tuple[ToPackage, ...] = ()
    live: tuple[LiveEntry, ...] = ()
    recalled: tuple[str, ...] = ()
    held_bytes: int = 0
    next_change_us: int | None = None


class Wantings(msgspec.Struct, frozen=True):
    """What is wanted, and what it was seen from."""

    known: Known
    seen: object
    wanted: tuple[Wanted, ...]


@dataclass
class Memory:
    """Empty when the agent starts."""

    known: Known = field(default_factory=Known)
    wanted: Wantings | None = None
    """What was wanted at the last look, which is so still where nothing has changed."""
    serving: Serving = field(default_factory=Serving)
    drops: Look = field(default_factory=Look)
    refused_drops: dict[str, Text] = field(default_factory=dict)
    """Why files of the drop folder that were tried were not taken, by key."""
    told_drops: tuple[str, ...] | None = None
    """What the folder's notice speaks of; None before the first look."""
    reading: dict[str, list[Asset]] = field(default_factory=dict)
    """Files of a command that have been read so far, by the command's name."""
    failures: dict[str, Failures] = field(default_factory=dict)
    """Of what has no row of its own to note them in, by what it was about."""
    progress: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of running transfers: bytes, and when they were counted."""
    reading_again: Reading = field(default_factory=Reading)
    """What is to be read again."""
    read_ended: tuple[int, int] | None = None
    """When the last one ended that is paced, and how many bytes it had."""
    journey: Journey | None = None
    """The import from a stick that is under way."""
    carried_snapshot: Arriving | None = None
    """What it has brought so far of a snapshot."""
    journey_moved_us: int = 0
    """When it last got on, on the clock that only runs."""
    journey_told_us: int = 0
    progress_us: int = 0
    asked_us: dict[str, int] = field(default_factory=dict)
    """When each live source was last asked, by its address."""
    collected_us: int = 0
    """When it was last looked for chunks of live sources that may go."""
    meter: Meter = field(default_factory=Meter)
    backups: tuple[Waiting, ...] = ()
    """Those that wait for the hub, as they lay there at"""
    backups_looked_us: int = 0
    backup_begun: str = ""
    """The digest of the one that travels, and of the one that rsync has brought up."""
    backup_there: str = ""
    full_until_us: int = 0
    """The disk said that it is full; so long that is believed."""
    room_told: bool = False
    media: Literal["here", "away", "told"] = "here"
    """Whether the disk of the assets is mounted, as far as we have noticed."""
    disk_fault_us: int = 0
    """When the disk of the media last failed, or this run began."""
    compiled_us: int = 0
    arranged_us: int = 0
    aired_us: int = 0
    changed_us: int = 0
    told_us: int = 0
    """When the hub was last told how the box is."""
    reported_us: int = 0
    reported_link: str = ""
    """The state of the line that was last told; a change of it is told at once."""

    def read_again(self, digest: str, size_bytes: int, now_us: int) -> None:
        """An asset was read again, with whatever result."""
        left = tuple(each for each in self.reading_again.digests if each != digest)
        self.reading_again = msgspec.structs.replace(self.reading_again, digests=left, look_again_us=0)
        if self.reading_again.is_paced:
            self.read_ended = (now_us, size_bytes)

    def failed(self, subject: str, now_us: int, jitter: float, backoff: retry.Backoff) -> None:
        """It failed, now."""
        before = self.failures.get(subject)
        count = before.count + 1 if before else 1
        self.failures[subject] = Failures(count, retry.next_attempt_us(now_us, count, jitter, backoff))

    def is_due(self, subject: str, now_us: int) -> bool:
        """Whether it may be tried."""
        failures = self.failures.get(subject)
        return failures is None or failures.not_before_us <= now_us

    def forget_what_is_over(self, now_us: int) -> None:
        """Refused files that are not there any more, and failures of long ago."""
        there = {entry.key for entry in (*self.drops.refused, *self.drops.settled)}
        if not self.refused_drops.keys() <= there:
            self.refused_drops = {key: why for key, why in self.refused_drops.items() if key in there}
        over = [subject for subject, each in self.failures.items() if each.not_before_us < now_us - FORGOTTEN_AFTER_US]
        for subject in over:
            del self.failures[subject]

    def drop_of(self, key: str) -> Entry | None:
        """The file of the drop folder that has this key; None when it is not as it was any more."""
        return next((entry for entry in self.drops.settled if entry.key == key), None)
