"""The site's own stream, as its writer signs it: the head, and places behind it where a batch ends."""

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlite_utils import Database

from appliance.core.journal import Checkpoint, Position, Record, position_after, sign_checkpoint
from appliance.core.moment import US, to_us
from appliance.store import journals

CHECKPOINT_GOOD_US: Final = 10 * 60 * US


class OwnStream:
    """`signed_us`: when its head was last signed for the hub that listens; set it to 0 for another one."""

    def __init__(self, db: Database, stream: str, key: Ed25519PrivateKey) -> None:
        self._db, self._stream, self._key = db, stream, key
        self._is_key_new = False
        self.signed_us = 0

    def sign_with(self, key: Ed25519PrivateKey) -> None:
        """Another key from now on; the head is signed anew, for an auditor has the newest one alone."""
        self._key, self._is_key_new = key, True

    def vouch(self, now_us: int) -> None:
        """Sign the head where it has moved, hub or no hub: an audit asks nobody but the journal."""
        own, signed = journals.cursor(self._db, self._stream).position, journals.checkpoint(self._db, self._stream)
        if own.seq and (signed is None or signed.position != own or self._is_key_new):
            self._is_key_new = False
            journals.keep_checkpoint(self._db, sign_checkpoint(own, now_us, now_us + CHECKPOINT_GOOD_US, self._key))

    def sign_head(self, own: Position, now_us: int) -> Checkpoint:
        """Vouch for the head, and keep that."""
        signed = sign_checkpoint(own, now_us, now_us + CHECKPOINT_GOOD_US, self._key)
        journals.keep_checkpoint(self._db, signed)
        self.signed_us = now_us
        return signed

    def sign_at(self, last: Record, own: Position, now_us: int) -> Checkpoint:
        """Vouch for a batch. Of a place behind the head the time is that of its record: later would mean that we went
        back."""
        position = position_after(last)
        if position == own:
            return self.sign_head(own, now_us)
        at_us = to_us(last.header.at)
        return sign_checkpoint(position, at_us, at_us + CHECKPOINT_GOOD_US, self._key)
