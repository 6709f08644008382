"""What somebody on the line makes of a batch of records: each is what one of the judge's questions is there for.

words       the words of a record are others            it is not the body that its header names
middle      a record before the last is another one     the next does not carry its hash
gap         a record before the last is missing         the next has not the number that follows
stranger    all is in order, under another's key        it is not the writer's signature
"""

import hashlib
import json
import re
from random import Random
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.core.journal import Position, Record, append, checkpoint_text, position_after, sign_checkpoint
from appliance.core.moment import to_us
from appliance.core.wire import Records, encoded, pairs_of, parsed

WAYS = ("words", "middle", "gap", "stranger")
STRANGER = Ed25519PrivateKey.from_private_bytes(b"\x66" * 32)


def forged(way: str, line: bytes, chance: Random, thief: Ed25519PrivateKey = STRANGER) -> bytes | None:
    """Another line in the place of this one; None where that cannot be made of it. `thief` is the stranger's key."""
    if not line.startswith(b'{"t":"records"'):
        return None
    said = msgspec.json.decode(line, type=Records)
    pairs = list(said.records)
    number = chance.randrange(len(pairs))
    match way:
        case "words":
            header, body = pairs[number]
            pairs[number] = header, _other_digit(body, chance)
        case "middle" if number + 1 < len(pairs):
            header, body = pairs[number]
            pairs[number] = _another(header), body
        case "gap" if number + 1 < len(pairs):
            del pairs[number]
        case "stranger" if said.checkpoint is not None:
            return _of_a_stranger(parsed(said.records), chance, thief)
    if pairs == list(said.records):
        return None
    return encoded(Records(said.stream, tuple(pairs), said.checkpoint))


def is_named(header: bytes, body: bytes | None) -> bool:
    """Whether a body is the one that its header names, by the header's own words; one that was redacted is."""
    said: dict[str, Any] = json.loads(header)
    return body is None or hashlib.sha256(body).hexdigest() == said["body_sha256"]


def _of_a_stranger(records: tuple[Record, ...], chance: Random, thief: Ed25519PrivateKey) -> bytes | None:
    """The same story told otherwise, chained as it must be."""
    header = records[0].header
    last = Position(header.stream, header.epoch, header.seq - 1, header.prev)
    made = list[Record]()
    for record in records:
        header, body = record.header, _other_digit(record.body.decode() if record.body else None, chance)
        if body is None or header.epoch != last.epoch or header.again:
            return None
        made.append(append(last, header.kind, header.key, body.encode(), to_us(header.at)))
        last = position_after(made[-1])
    at_us = to_us(records[-1].header.at)
    signed = sign_checkpoint(last, at_us, at_us + 600_000_000, thief)
    return encoded(Records(last.stream, pairs_of(made), checkpoint_text(signed)))


def _another(header: str) -> str:
    """A header that differs in when it says it was written."""
    return re.sub(r'("at":"....-..-..T..:..:)(\d)', lambda found: f"{found[1]}{(int(found[2]) + 1) % 6}", header)


def _other_digit(text: str | None, chance: Random) -> str | None:
    """One digit is another, where there is one within a word."""
    places = [found.start() for found in re.finditer(r"(?<=[a-z]-)\d|(?<=\d)\d(?=[\"T:Z-])", text or "")]
    if text is None or not places:
        return text
    place = chance.choice(places)
    return f"{text[:place]}{(int(text[place]) + 1) % 10}{text[place + 1 :]}"
