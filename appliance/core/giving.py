"""Small assets that are handed over in a control session: what one end owes the other, and bytes that come between
lines. A part of `appliance.core.session`, which says what is on the line."""

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from appliance.core import wire
from appliance.core.asset import parse_digest
from appliance.core.errors import Text
from appliance.core.events import AssetGiven, AssetNotGiven

_LF: Final = 10
_OTHER_BYTES: Final = Text("嵩山云给的内容与指纹不符", "what the hub gave is not what its digest says")


class Giving:
    """One end's view of it. What is not allowed is a ValueError, which ends the session."""

    def __init__(self, say: Callable[[wire.Line], None]) -> None:
        self._say = say
        self._owed: dict[str, bool] = {}
        """In the order in which they were asked for; whether they may be given in that order, without their names."""
        self._coming: tuple[str, int] | None = None
        self.to_send: deque[bytes] = deque()
        """Assets that are to go out, behind all records."""

    @property
    def is_coming(self) -> bool:
        """Whether what comes now are the bytes of an asset, and no line."""
        return self._coming is not None

    def left(self) -> int:
        """How many assets more may be asked for now."""
        return wire.OWED_MAX - len(self._owed)

    def ask_for(self, digests: Sequence[str]) -> None:
        """Ask the hub to hand over small assets; each is answered by `AssetGiven` or `AssetNotGiven`."""
        assert len(digests) <= self.left(), "what is owed is bounded"
        self._owed.update(dict.fromkeys(digests, True))
        for begins in range(0, len(digests), wire.GIVE_MAX):
            self._say(wire.Give(tuple(digests[begins : begins + wire.GIVE_MAX]), in_order=True))

    def give(self, digest: str, content: bytes) -> None:
        """Hand over an asset that the box asked for; in the order in which it did, where it wants that."""
        assert len(content) <= wire.GIVEN_BYTES_MAX, "what is given is small"
        is_next = self._owed.get(digest, False) and digest == next(iter(self._owed))
        self.settle(digest)
        self.to_send.append(wire.encoded(wire.Given(len(content), "" if is_next else digest)) + content + b"\n")

    def cannot_give(self, digest: str, reason: Text) -> None:
        """Say that it does not come."""
        self.settle(digest)
        self._say(wire.NotGiven(digest, reason))

    def is_asked(self, digests: Sequence[str], *, in_order: bool) -> None:
        """These were asked for, by the other end."""
        for digest in digests:
            if parse_digest(digest) != digest:
                raise ValueError("a digest without sha256: before it")
            if digest in self._owed:
                raise ValueError("an asset that is asked for twice")
            self._owed[digest] = in_order
        if len(self._owed) > wire.OWED_MAX:
            raise ValueError("more assets than may wait")

    def settle(self, digest: str) -> None:
        """This one is answered."""
        if digest not in self._owed:
            raise ValueError("an asset that nobody asked for")
        del self._owed[digest]

    def expect(self, line: wire.Given) -> None:
        """The bytes of an asset come now."""
        digest = line.digest or next(iter(self._owed), "")
        self.settle(digest)
        self._coming = (digest, line.size_bytes)

    def take(self, incoming: bytearray) -> AssetGiven | AssetNotGiven | None:
        """The asset whose bytes come now, taken off what came and hashed; None until all of it is there."""
        assert self._coming is not None, "bytes are expected"
        digest, size_bytes = self._coming
        if len(incoming) <= size_bytes:
            return None
        content, ends = bytes(incoming[:size_bytes]), incoming[size_bytes]
        if ends != _LF:
            raise ValueError("an asset longer than was said")
        del incoming[: size_bytes + 1]
        self._coming = None
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            return AssetNotGiven(digest, _OTHER_BYTES, is_wrong=True)
        return AssetGiven(digest, content)
