"""Senders to modulators take up the release that was committed: the standby first, then, once that is ready, the main.

So nothing is lost on the wire (docs/operating.md). One that does not come back in time leaves the other as it is: it is
the old code that sends then, and somebody looks.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from appliance import senders
from appliance.config import Config
from appliance.core.errors import Refused, Text
from appliance.following import Run
from appliance.senders import FRESH_US, Role, Sender

READY_S: Final = 60.0
PAUSE_S: Final = 0.5
SETTLED_US: Final = 3_000_000
"""A standby reckons along from the present before it can take over."""
UNITS: Final[dict[Role, str]] = {
    "standby": "songshan-playout-standby@{}.service",
    "main": "songshan-playout@{}.service",
}

_ORDER: Final[tuple[Role, ...]] = ("standby", "main")


def renew(config: Config, run: Run, since_us: int, pause: Callable[[float], None] = time.sleep) -> Iterator[str]:
    """Restart every sender that was started before `since_us`; the names of those that were, as each has come back.

    Refused for one that does not come back, or whose other is not there to take over; then no more is touched.
    """
    for channel in config.channels:
        if not channel.udp:
            continue
        for role in _ORDER:
            # Asked anew each time: what was told before the other one was restarted is old by now.
            before = _told(config, channel.id, role)
            if before is None or before.started_at_us >= since_us or not _is_fresh(config, before):
                continue
            if role == "main" and not _other_is_ready(config, channel.id):
                raise Refused(
                    Text(
                        f"{channel.id} 的备发未就绪，主发未动", f"the standby of {channel.id} is not ready; left alone"
                    ),
                    hint=Text("songshan status", "songshan status"),
                )
            unit = UNITS[role].format(channel.id)
            run(["restart", unit])
            _wait(config, channel.id, role, before, pause)
            yield unit
        _main, _standby, probe = senders.told(config, channel.id)
        if probe is not None and probe.started_at_us < since_us and config.clock.wall_us() - probe.at_us <= FRESH_US:
            unit = f"songshan-playout-watch@{channel.id}.service"
            with suppress(Refused):
                run(["restart", unit])
            yield unit


def _told(config: Config, channel: str, role: Role) -> Sender | None:
    main, standby, _probe = senders.told(config, channel)
    return standby if role == "standby" else main


def _wait(config: Config, channel: str, role: Role, before: Sender, pause: Callable[[float], None]) -> None:
    deadline_s = time.monotonic() + READY_S
    while time.monotonic() < deadline_s:
        now = _told(config, channel, role)
        if now is not None and now.started_at_us > before.started_at_us and _is_ready(config, now):
            return
        pause(PAUSE_S)
    raise Refused(
        Text(f"{channel} 的 {role} 发送端没有回来", f"the {role} sender of {channel} has not come back"),
        hint=Text(f"systemctl status {UNITS[role].format(channel)}", f"systemctl status {UNITS[role].format(channel)}"),
    )


def _other_is_ready(config: Config, channel: str) -> bool:
    standby = _told(config, channel, "standby")
    return standby is not None and _is_ready(config, standby)


def _is_ready(config: Config, sender: Sender) -> bool:
    return _is_fresh(config, sender) and sender.database is None and sender.at_us - sender.started_at_us >= SETTLED_US


def _is_fresh(config: Config, sender: Sender) -> bool:
    return config.clock.wall_us() - sender.at_us <= FRESH_US
