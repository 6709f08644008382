"""The two hellos of a control session: what each end says of itself, and what it means to the other. Pure functions."""

from collections.abc import Mapping, Sequence

from appliance.core import wire
from appliance.core.errors import Text
from appliance.core.events import Greeted
from appliance.core.journal import Broken, Position, genesis
from appliance.core.key_term import Key
from appliance.core.moment import to_text, to_us

Heads = Mapping[str, Position]
"""By stream: where it stands."""


def box_hello(
    site: str, have: Heads, offer: Position, software: str, time_us: int, machine: str, trusts: str
) -> wire.BoxHello:
    """What a box says: `have` of the hub's streams, genesis where left out; `offer` is the head of its own."""
    heads = {stream: wire.head_of(have.get(stream) or genesis(stream)) for stream in wire.streams_of_hub(site)}
    return wire.BoxHello(1, site, software, to_text(time_us), heads, wire.head_of(offer), machine, trusts)


def hub_hello(
    site: str,
    hub_id: str,
    have: Position,
    streams: Heads,
    software: str,
    time_us: int,
    signs: str,
    gives_bytes_max: int,
    key: Key,
    keeps_backups: int,
) -> wire.HubHello:
    """What a hub says: `have` of the site's own stream, `streams` are the heads of its four; `key`: the box's keys."""
    heads = {stream: wire.head_of(streams.get(stream) or genesis(stream)) for stream in wire.streams_of_hub(site)}
    of_site = {wire.stream_of_site(site): wire.head_of(have)}
    return wire.HubHello(
        1, hub_id, to_text(time_us), of_site, heads, software, signs, gives_bytes_max, _times(key), keeps_backups
    )


def understood(hello: wire.BoxHello | wire.HubHello, site: str, writes: Sequence[str], reads: Sequence[str]) -> Greeted:
    """What a hello means to the other end of the session with `site`. Broken where it is another's."""
    machine, gives_bytes_max, key, keeps_backups = "", 0, Key(), 0
    if isinstance(hello, wire.HubHello):
        peer, their_heads, hub_key = hello.hub, hello.streams, hello.signs
        gives_bytes_max = min(hello.gives_bytes_max, wire.GIVEN_BYTES_MAX)
        key, keeps_backups = _key(hello.key), hello.keeps_backups
    elif hello.site != site:
        raise Broken(Text(f"此密钥属于 {site}，不是 {hello.site[:40]}", f"this key is {site}'s alone"))
    else:
        peer, their_heads = hello.site, {wire.stream_of_site(hello.site): hello.offer}
        machine, hub_key = hello.machine, hello.trusts
    have, heads = _positions(site, writes, hello.have), _positions(site, reads, their_heads)
    return Greeted(
        peer, hello.software, to_us(hello.time), have, heads, machine, hub_key, gives_bytes_max, key, keeps_backups
    )


def check_stream(site: str, stream: str, allowed: Sequence[str]) -> None:
    """Broken where a peer names a stream that is none of these."""
    if stream not in allowed:
        raise Broken(wire.no_business(site, stream))


def _positions(site: str, streams: Sequence[str], heads: Mapping[str, wire.Head]) -> dict[str, Position]:
    for stream in heads:
        check_stream(site, stream, streams)
    return {
        stream: wire.position_of(stream, heads[stream]) if stream in heads else genesis(stream) for stream in streams
    }


def _times(key: Key) -> wire.KeyTimes | None:
    moments = (key.since_us, key.renew_from_us, key.until_us, key.grace_until_us)
    texts = [to_text(each) for each in moments if each is not None]
    return wire.KeyTimes(*texts) if len(texts) == len(moments) else None


def _key(times: wire.KeyTimes | None) -> Key:
    if times is None:
        return Key()
    return Key(
        since_us=to_us(times.since),
        renew_from_us=to_us(times.renew_from),
        until_us=to_us(times.until),
        grace_until_us=to_us(times.grace_until),
    )
