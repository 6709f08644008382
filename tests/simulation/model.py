"""What the records say, folded by the oracle's own rules and not by the product's: items, recalls, takes."""

import json
from datetime import UTC, datetime
from typing import Any

EVER = datetime.min.replace(tzinfo=UTC)


class Violation(AssertionError):
    """An invariant does not hold."""


class Model:
    """Of one reader of the streams."""

    def __init__(self) -> None:
        self.redacted: dict[str, str] = {}
        """By what a record is, or stands for: the key of the redaction that means it."""
        self._stands: dict[str, str] = {}
        """By item: the record that says what it is now."""
        self.items: dict[str, dict[str, Any]] = {}
        self.offers: dict[str, dict[str, Any]] = {}
        self.recalled: dict[str, datetime] = {}
        self.taken: set[str] = set()

    def fold(self, origin: str, kind: str, key: str, body: bytes | None) -> None:
        """The next record, or what it stands for; one whose words were redacted says nothing, and leaves nothing of
        before in its place."""
        if not body or origin in self.redacted:
            {"item": self.items, "offer": self.offers}.get(kind, {}).pop(key, None)
            return
        match kind:
            case "item":
                self.items[key] = json.loads(body)
                self._stands[key] = origin
            case "offer":
                self.offers[key] = json.loads(body)
                self._stands[key] = origin
            case "redact":
                self._redact(json.loads(body)["hash"], key)
            case "recall":
                said = json.loads(body)
                self.recalled[said["target"]] = max(_at(said["at"]), self.recalled.get(said["target"], EVER))
            case "take":
                self.taken.add(key)
            case "untake":
                self.taken.discard(key)

    def _redact(self, origin: str, name: str) -> None:
        """Nothing that stood before comes back in the place of what goes."""
        self.redacted[origin] = name
        for key in [each for each, stands in self._stands.items() if stands == origin]:
            del self._stands[key]
            self.items.pop(key, None)
            self.offers.pop(key, None)

    def is_live(self, item: dict[str, Any]) -> bool:
        at = self.recalled.get(item["id"])
        return at is None or _at(item["created_at"]) > at

    def live(self) -> set[str]:
        """Items and offers against which no recall of their id stands."""
        return {key for key, item in [*self.items.items(), *self.offers.items()] if self.is_live(item)}

    def shown(self) -> dict[str, dict[str, Any]]:
        """Items that this site shows: published to it, or offered and taken."""
        taken = {key: offer for key, offer in self.offers.items() if key in self.taken}
        return {key: item for key, item in {**taken, **self.items}.items() if self.is_live(item)}

    def digests(self) -> set[str]:
        """What this site may show: an item without one of its assets goes on without it."""
        return self.digests_of(set(self.shown()))

    def digests_of(self, names: set[str]) -> set[str]:
        """The assets of these items, as far as neither is recalled."""
        known = {**self.offers, **self.items}
        live = [known[name] for name in names if name in known and self.is_live(known[name])]
        return {asset["digest"] for item in live for asset in item.get("assets", ())} - self.recalled.keys()

    def kept_by_hub(self) -> set[str]:
        """Digests of every item and offer that is live."""
        every = [*self.items.values(), *self.offers.values()]
        kept = [[asset["digest"] for asset in item.get("assets", ())] for item in every if self.is_live(item)]
        return {digest for digests in kept if self.recalled.keys().isdisjoint(digests) for digest in digests}


def origin_of(header: bytes, digest: str) -> str:
    """What a record is, or stands for."""
    again: str | None = json.loads(header).get("again")
    return again or digest


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
