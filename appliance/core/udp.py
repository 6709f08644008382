"""What the config may say of a channel's output over UDP: `[[channels]] udp` and its companions."""

from collections.abc import Iterator, Mapping
from ipaddress import AddressValueError, IPv4Address

from appliance.core.cbr import RATE_MAX, RATE_MIN
from appliance.core.errors import Text


def problems_of_udp(channel: Mapping[str, object], where: str) -> Iterator[Text]:
    """Everything that is wrong with it, each by its own line; `where` names the channel."""
    for key, example in (("udp", "239.0.0.1:5000"), ("udp_copy", "127.0.0.1:5000")):
        if channel.get(key, "") != "" and not _is_address(channel[key]):
            yield _bad(where + key, channel[key], example)
    if channel.get("udp_from", "") != "" and not _is_ipv4(channel["udp_from"]):
        yield _bad(f"{where}udp_from", channel["udp_from"], "192.168.10.2")
    for key, low, high in (("udp_bits_per_s", RATE_MIN, RATE_MAX), ("udp_ttl", 1, 255)):
        value = channel.get(key, low)
        if type(value) is not int or not low <= value <= high:
            yield Text(
                f"{where}{key} 须在 {low} 与 {high} 之间，得到 {value!r}",
                f"{where}{key} must be from {low} to {high}, got {value!r}",
            )


def _is_address(value: object) -> bool:
    """An IPv4 address and a port. No names: nothing is looked up on the way to the air."""
    host, _colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    return _is_ipv4(host) and port.isascii() and port.isdigit() and 1 <= int(port) <= 65535


def _is_ipv4(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(IPv4Address(value))
    except AddressValueError:
        return False


def _bad(option: str, value: object, example: str) -> Text:
    return Text(
        f"{option} 不合规：{str(value)[:60]!r}（例：{example}）",
        f"bad {option}: {str(value)[:60]!r} (for example {example})",
    )
