"""The keys of this box as its agent has them: whether it is time to change them, and whether somebody has.

It is time when the hub says so: in its greeting, by its own clock, or at the door, where the keys have run out. They
are changed by `songshan rotate-keys`, which the agent starts or a person; the file is read again at each greeting.
"""

from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.core.errors import KeyRanOut, OperatorError, WorldError
from appliance.core.key_term import Key, standing
from appliance.keys import read_sign_key
from edge_agent.own_stream import OwnStream
from edge_agent.recovery import Recovery


class OwnKeys:
    """For one run of the agent. Who signs is told of another key."""

    def __init__(self, path: Path, key: Ed25519PrivateKey, own: OwnStream, recovery: Recovery) -> None:
        self._path, self._public = path, key.public_key()
        self._own, self._recovery = own, recovery
        self._is_due = self._have_run_out = False

    def must_change(self, *, is_greeted: bool) -> bool:
        """It is time, and the hub can be reached."""
        return self._have_run_out or (self._is_due and is_greeted)

    def greeted(self, key: Key, hub_now_us: int) -> None:
        """What the hub says of them at this moment of its clock: ours may say 1970."""
        self._is_due, self._have_run_out = standing(key, hub_now_us) != "good", False

    def lost(self, error: WorldError) -> None:
        """Why the line could not be had, or is gone."""
        self._have_run_out = isinstance(error, KeyRanOut)

    def changed(self) -> None:
        """The hub takes the new ones."""
        self._is_due = self._have_run_out = False
        self.look()

    def look(self) -> None:
        """What is said from now on is said under the key that lies there."""
        with suppress(OperatorError):
            key = read_sign_key(self._path)
            if key.public_key() != self._public:
                self._public = key.public_key()
                self._own.sign_with(key)
                self._recovery.sign_with(key)
