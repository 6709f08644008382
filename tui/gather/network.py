"""What the page of the network reads: psutil, the kernel's tables, the resolver's file. It dials only when asked."""

import base64
import ipaddress
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psutil

from appliance.config import HubAddress
from appliance.core.errors import SongshanError, Text, WorldError
from tui.gather.programs import ask
from tui.gather.where import Where
from tui.view.acts import Case
from tui.view.network import Card, Found, LineTest, Manager, Route, Step
from tui.view.sheet import Asked

CARDS_MAX: Final = 64
ROUTES_MAX: Final = 8
STEP_TIMEOUT_S: Final = 5.0
BANNER_BYTES: Final = 64
LINES_MAX: Final = 4096
CARDS: Final = Path("/sys/class/net")
"""A card has a device there; what is made by programs has none."""
ROUTE: Final = Path("/proc/net/route")
ROUTE6: Final = Path("/proc/net/ipv6_route")
RESOLVERS: Final = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))
MANAGERS: Final[tuple[tuple[Manager, str], ...]] = (
    ("netplan", "/etc/netplan/*.yaml"),
    ("networkmanager", "/etc/NetworkManager/system-connections/*"),
    ("networkd", "/etc/systemd/network/*.network"),
    ("ifupdown", "/etc/network/interfaces"),
)


def gather(where: Where, _asked: Asked) -> Found:
    """What the kernel says of cards and ways; works with everything of ours dead."""
    cards: tuple[Card, ...] = ()
    with where.kept():
        cards = tuple(_cards())
    hub = where.config.hub if where.config is not None else None
    test = where.notes.get("line-test")
    return Found(
        cards=cards,
        routes=(*_routes(ROUTE), *_routes6(ROUTE6))[:ROUTES_MAX],
        resolvers=_resolvers(),
        hub=f"{hub.host}:{hub.port}" if hub is not None else "",
        manager=_manager(),
        test=test if isinstance(test, LineTest) else None,
    )


def try_line(where: Where, _case: Case) -> Text:
    """Reach the hub step by step, and keep for the page what each step found; whoever asked is told the outcome."""
    hub = where.box.hub
    assert hub is not None, "the act is refused where there is no hub"
    test = tried(hub, time.time_ns() // 1000)
    where.notes["line-test"] = test
    bad = next((step for step in test.steps if step.is_good is False), None)
    if bad is not None:
        raise WorldError(bad.found)
    took = round(sum(step.took_ms for step in test.steps))
    return Text(
        f"线路畅通，主机密钥相符，共 {took} 毫秒", f"the line is good, the host key is the pinned one: {took} ms"
    )


def tried(hub: HubAddress, at_us: int) -> LineTest:
    """Name, TCP and greeting, host key; what comes after a step that failed is not reached."""
    found: list[Step] = []
    address = hub.host
    for name, work in (("name", _name), ("tcp", _tcp), ("key", _key)):
        began_s = time.monotonic()
        try:
            address, said = work(hub, address)
            is_good = True
        except SongshanError as error:
            said, is_good = error.problems[0], False
        found.append(Step(name, is_good, said, (time.monotonic() - began_s) * 1000))  # type: ignore[arg-type]
        if not is_good:
            break
    return LineTest(at_us, tuple(found))


def _name(hub: HubAddress, _address: str) -> tuple[str, Text]:
    with suppress(ValueError):
        ipaddress.ip_address(hub.host)
        return hub.host, Text("配置中就是地址", "an address in the configuration")
    # Whoever asks in this process cannot be told to give up; a program can.
    said = ask(("getent", "ahosts", hub.host), STEP_TIMEOUT_S)
    address = said.out.split(maxsplit=1)[0] if said.out.strip() else ""
    if not address:
        raise WorldError(Text(f"查不到 {hub.host}，请查 DNS", f"{hub.host} has no address: look at the DNS"))
    return address, Text(address, address)


def _tcp(hub: HubAddress, address: str) -> tuple[str, Text]:
    where = f"{address}:{hub.port}"
    try:
        with socket.create_connection((address, hub.port), STEP_TIMEOUT_S) as line:
            line.settimeout(STEP_TIMEOUT_S)
            banner = line.recv(BANNER_BYTES)
    except OSError as error:
        cause = error.strerror or str(error)
        raise WorldError(Text(f"连不上 {where}：{cause}", f"{where}: {cause}")) from error
    if not banner.startswith(b"SSH-"):
        raise WorldError(Text(f"{where} 不是 SSH", f"{where} does not speak SSH"))
    software = banner.split(b"\r")[0].split(b"\n")[0].decode(errors="replace")
    return address, Text(software, software)


def _key(hub: HubAddress, address: str) -> tuple[str, Text]:
    said = ask(
        ("ssh-keyscan", "-T", f"{STEP_TIMEOUT_S:.0f}", "-p", str(hub.port), "-t", "ed25519", address),
        2 * STEP_TIMEOUT_S,
    )
    shown = {blob for line in said.out.splitlines() if (blob := _blob(line.partition(" ")[2]))}
    if not shown:
        raise WorldError(Text("对方没有出示主机密钥", "it showed no host key"))
    if not shown & {_blob(line) for line in hub.host_keys}:
        raise WorldError(
            Text(
                "主机密钥与登记的不符，勿继续，请联系嵩山云运维",
                "another host key than the pinned one: tell the hub's operator",
            )
        )
    return address, Text("与登记的相符", "the pinned one")


def _blob(line: str) -> bytes:
    words = line.split()
    try:
        return base64.b64decode(words[1], validate=True)
    except (IndexError, ValueError):
        return b""


def _cards() -> Iterator[Card]:
    """Every card but the loopback, and what is no card and not in use; those with a link first."""
    stats, addresses, counters = psutil.net_if_stats(), psutil.net_if_addrs(), psutil.net_io_counters(pernic=True)
    found = []
    for name, state in list(stats.items())[:CARDS_MAX]:
        flags = set(state.flags.split(","))
        if "loopback" in flags or ("running" not in flags and not (CARDS / name / "device").exists()):
            continue
        counted = counters.get(name)
        found.append(
            Card(
                name=name,
                is_up="running" in flags,
                is_on=state.isup,
                speed_mbit_s=state.speed,
                is_full_duplex={2: True, 1: False}.get(int(state.duplex)),
                mtu=state.mtu,
                mac=next((each.address for each in addresses.get(name, ()) if each.family == psutil.AF_LINK), ""),
                addresses=tuple(_addresses(addresses.get(name, []))),
                received_bytes=counted.bytes_recv if counted else 0,
                sent_bytes=counted.bytes_sent if counted else 0,
                packets=counted.packets_recv + counted.packets_sent if counted else 0,
                errors=counted.errin + counted.errout if counted else 0,
                dropped=counted.dropin + counted.dropout if counted else 0,
            )
        )
    yield from sorted(found, key=lambda card: (not card.is_up, not card.addresses, card.name))


def _addresses(given: Sequence[Any]) -> Iterator[str]:
    """`192.168.1.10/24`; those of the link alone say nothing."""
    for each in given:
        if each.family == socket.AF_INET:
            with suppress(ValueError):
                yield str(ipaddress.ip_interface(f"{each.address}/{each.netmask or 32}"))
        elif each.family == socket.AF_INET6 and not each.address.startswith("fe80"):
            yield each.address


def _routes(table: Path) -> Iterator[Route]:
    """Default routes of /proc/net/route: addresses stand there as hexadecimal in the machine's order of bytes."""
    for words in _words(table)[1:]:
        if len(words) > 7 and words[1] == words[7] == "00000000":
            with suppress(ValueError):
                yield Route(str(ipaddress.IPv4Address(bytes.fromhex(words[2])[::-1])), words[0])


def _routes6(table: Path) -> Iterator[Route]:
    for words in _words(table):
        if len(words) > 9 and words[0] == "0" * 32 and words[1] == "00" and words[9] != "lo":
            with suppress(ValueError):
                yield Route(str(ipaddress.IPv6Address(bytes.fromhex(words[4]))), words[9])


def _resolvers() -> tuple[str, ...]:
    for path in RESOLVERS:
        found = tuple(words[1] for words in _words(path) if len(words) > 1 and words[0] == "nameserver")
        if found:
            return found
    return ()


def _words(path: Path) -> list[list[str]]:
    """The words of each line; [] where the file cannot be read."""
    try:
        return [line.split() for line in path.read_text(errors="replace").splitlines()[:LINES_MAX]]
    except OSError:
        return []


def _manager() -> Manager:
    """Who sets the network up here, by what lies there."""
    for manager, pattern in MANAGERS:
        with suppress(OSError):
            if any(Path("/").glob(pattern.lstrip("/"))):
                return manager
    return ""
