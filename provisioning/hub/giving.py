"""Small assets that a box asks for in its session: read from what the site may read, a few at a time."""

import os
import stat
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from appliance.core.asset import hex_of
from appliance.core.errors import Text
from appliance.core.session import Session
from provisioning.hub.folder import SiteFolder

_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
STEP_BYTES: Final = 64 * 1024
"""Queued at a time: so much a recall that is written now may have to wait for, at this end."""

_NOT_READABLE: Final = Text("没有此文件，或未对本站开放", "not here, or not for this site")
"""Whether it is not there or another site's is nobody's business."""


@dataclass
class Giving:
    """What one session has been asked for, in the order in which it was. `bytes_max`: what is larger is not given."""

    site: SiteFolder
    session: Session
    bytes_max: int
    _waiting: deque[str] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._readable = os.fspath(self.site.readable)

    @property
    def is_busy(self) -> bool:
        """There is something to give."""
        return bool(self._waiting)

    def ask(self, digests: Sequence[str]) -> None:
        """The box asks for these; the session bounds how many wait."""
        self._waiting.extend(digests)

    def step(self) -> None:
        """Give the next few."""
        given_bytes = 0
        while self._waiting and given_bytes < STEP_BYTES:
            digest = self._waiting.popleft()
            content = self._content(digest)
            if content is None:
                self.session.giving.cannot_give(digest, _NOT_READABLE)
            else:
                self.session.giving.give(digest, content)
                given_bytes += len(content)

    def _content(self, digest: str) -> bytes | None:
        """What a link of the site's leads to; None where there is none, or not so small a file."""
        # Of ten thousand captions each microsecond counts: no path is made of parts, no error is put into words.
        try:
            descriptor = os.open(f"{self._readable}/{hex_of(digest)}", _FLAGS)
        except OSError:
            return None
        try:
            facts = os.fstat(descriptor)
            is_small = stat.S_ISREG(facts.st_mode) and facts.st_size <= self.bytes_max
            return os.read(descriptor, self.bytes_max) if is_small else None
        except OSError:
            return None
        finally:
            os.close(descriptor)
