"""`songshan transcode`: packaging for whoever connects, in a sandbox of its own; its unit starts it, one per clip."""

import os
import socket
import stat
import sys

import click

from appliance import packager
from appliance.core.errors import OperatorError, Text


@click.command()
def transcode() -> None:
    """转码服务：由 songshan-transcode.socket 启动，每个片段一个进程。 Packages one clip for who connected.

    The connection is standard input. It is started by systemd; nobody calls it by hand.

    Example: systemctl enable --now songshan-transcode.socket
    """
    if not stat.S_ISSOCK(os.fstat(0).st_mode):
        raise OperatorError(
            Text("标准输入不是连接", "standard input is no connection"),
            hint=Text(
                "由 systemd 启动：systemctl enable --now songshan-transcode.socket",
                "systemd starts it: systemctl enable --now songshan-transcode.socket",
            ),
        )
    sys.exit(packager.serve(socket.socket(fileno=0)))
