"""What HTTP serves and what it may serve, as one run of the agent knows it: in a turn only where the two differ is
looked at, and that is little however much is served."""

from collections.abc import Collection, Iterable

from sqlite_utils import Database

from appliance.store.shown import Shown


class Serving:
    """`served` are the links in `public/`, which only the agent makes and takes away."""

    def __init__(self, served: Iterable[str] = ()) -> None:
        self._served = set(served)
        self._shown = Shown()
        self._hidden: set[str] = set()
        self._overt = set(self._served)
        """Until the first look nothing is known that may be."""

    @property
    def hidden(self) -> frozenset[str]:
        """What may be served and is not."""
        return frozenset(self._hidden)

    @property
    def overt(self) -> frozenset[str]:
        """What is served and may not be."""
        return frozenset(self._overt)

    def look(self, db: Database, now_us: int) -> None:
        """Take in what changed of what may be served."""
        changed = self._shown.look(db, now_us)
        shown = {digest for digest in changed if digest in self._shown}
        self._hidden = (self._hidden - changed) | (shown - self._served)
        self._overt = (self._overt - changed) | (self._served & (changed - shown))

    def links_are(self, served: Iterable[str]) -> None:
        """The folder was read: these are its links."""
        before, self._served = self._served, set(served)
        for digest in before ^ self._served:
            self._compare(digest)

    def serve(self, digests: Iterable[str], but: Collection[str] = ()) -> None:
        """These have a link now, but for some."""
        for digest in digests:
            if digest not in but:
                self._served.add(digest)
                self._compare(digest)

    def hide(self, digest: str) -> None:
        """This one has none any more."""
        self._served.discard(digest)
        self._compare(digest)

    def _compare(self, digest: str) -> None:
        is_served, may_be = digest in self._served, digest in self._shown
        (self._hidden.add if may_be and not is_served else self._hidden.discard)(digest)
        (self._overt.add if is_served and not may_be else self._overt.discard)(digest)
