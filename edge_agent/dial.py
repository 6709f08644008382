"""Reaching the hub can take as long as its name is looked up and nobody answers; a thread waits for that, not the loop.

It does nothing else: it leaves a link or an error, and wakes the loop. Nothing is shared with it but that.
"""

import threading
from pathlib import Path
from typing import Final

from appliance.config import HubAddress
from appliance.core.errors import HubUnreachable, LockedOut
from edge_agent.hub_ssh import HubLink
from edge_agent.watch import Wake

TIMEOUT_S: Final = 10.0
"""For each of: the address, the greeting, our key, the session."""


class Dial:
    """One attempt."""

    def __init__(self, hub: HubAddress, key_path: Path, wake: Wake) -> None:
        self._hub, self._key_path, self._wake = hub, key_path, wake
        self._lock = threading.Lock()
        self._answer: HubLink | HubUnreachable | LockedOut | None = None
        self._is_given_up = False
        threading.Thread(target=self._run, name="dial", daemon=True).start()

    def answer(self) -> HubLink | HubUnreachable | LockedOut | None:
        """What came of it; None while it is not known."""
        with self._lock:
            return self._answer

    def give_up(self) -> None:
        """A link that comes now is closed at once."""
        with self._lock:
            self._is_given_up = True
            if isinstance(self._answer, HubLink):
                self._answer.close()

    def _run(self) -> None:
        answer: HubLink | HubUnreachable | LockedOut
        try:
            answer = HubLink.connect(self._hub, self._key_path, TIMEOUT_S)
        except (HubUnreachable, LockedOut) as error:
            answer = error
        with self._lock:
            self._answer = answer
            if self._is_given_up and isinstance(answer, HubLink):
                answer.close()
        self._wake.wake()
