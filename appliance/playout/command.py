"""`songshan playout`: sends a channel to a modulator, or watches what is sent."""

import signal
import threading

import click

from appliance.command import Box, pass_box
from appliance.config import ChannelConfig
from appliance.core.errors import OperatorError, Text
from appliance.playout.sender import send
from appliance.playout.watch import watch


@click.command()
@click.argument("channel")
@click.option("--standby", is_flag=True, help="take over within a second when the other sender fails")
@click.option("--watch", "watches", is_flag=True, help="send nothing: listen to the output and tell what is wrong")
@click.option("--for", "seconds", type=click.FloatRange(0.1), help="end after so many seconds")
@pass_box
def playout(box: Box, channel: str, standby: bool, watches: bool, seconds: float | None) -> None:
    """调制器输出：按播出账以恒定码率发送 MPEG-TS/UDP。 Sends the channel as MPEG-TS over UDP at a constant rate.

    Goes on with the agent and the web server dead, and with the database gone for as long as the ledger reached.

    Example: songshan playout dengfeng-1
    """
    config = box.config
    named = _channel(box, channel)
    if standby and watches:
        raise OperatorError(Text("--standby 与 --watch 只能选一个", "--standby and --watch: only one of them"))
    ended = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: ended.set())
    if seconds is not None:
        timer = threading.Timer(seconds, ended.set)
        timer.daemon = True
        timer.start()
    if watches:
        watch(config, named, ended)
    else:
        send(config, named, "standby" if standby else "main", ended)


def _channel(box: Box, channel: str) -> ChannelConfig:
    found = box.config.channel(channel)
    if found is None:
        known = [each.id for each in box.config.channels]
        raise OperatorError(
            Text(f"没有频道 {channel}", f"there is no channel {channel}"), hint=Text("、".join(known), ", ".join(known))
        )
    if not found.udp:
        raise OperatorError(
            Text(f"频道 {channel} 没有 UDP 输出", f"the channel {channel} has no output over UDP"),
            hint=Text(
                '在 appliance.toml 的 [[channels]] 下写 udp = "239.0.0.1:5000"',
                'write udp = "239.0.0.1:5000" below [[channels]] in appliance.toml',
            ),
        )
    return found
