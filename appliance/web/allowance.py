"""How often one client may write: a few at once, then one a while. In memory, bounded, each worker by itself."""

from collections import OrderedDict
from threading import Lock
from typing import Final

CLIENTS_MAX: Final = 4096
"""The least recently seen are forgotten first; whoever commands more addresses than that is nginx's to hold back."""


class Allowance:
    """A bucket of `burst` for each client, filled by one every `every_s` seconds."""

    def __init__(self, burst: int, every_s: float) -> None:
        self._burst = burst
        self._every_s = every_s
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._lock = Lock()

    def wait_s(self, client: str, now_s: float) -> float:
        """0 and one less to spend, or how long until the client may try again."""
        with self._lock:
            full_at = max(now_s, self._full_at.get(client, now_s)) + self._every_s
            too_soon_s = full_at - now_s - self._burst * self._every_s
            if too_soon_s > 0:
                return too_soon_s
            self._full_at[client] = full_at
            self._full_at.move_to_end(client)
            while len(self._full_at) > CLIENTS_MAX:
                self._full_at.popitem(last=False)
            return 0.0
