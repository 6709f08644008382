"""The settings of a hub's sshd: keys only, forced commands only, no forwarding, no terminal, dead lines noticed.

One source for both: `songshan-hub serve`, and the system's sshd of a hub whose sites have accounts.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import click

from appliance.core.errors import Refused, Text
from provisioning.command import pass_hub
from provisioning.hub.accounts import GROUP
from provisioning.hub.folder import HubFolder, HubSettings
from provisioning.hub.presence import SERVING_VARIABLE

LOOPBACK: Final = "127.0.0.1"

COMMON: Final = """\
PidFile none
UsePAM no
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitUserRC no
PermitTTY no
DisableForwarding yes
PrintMotd no
UseDNS no
LogLevel VERBOSE
LoginGraceTime 20
MaxAuthTries 3
MaxSessions 4
MaxStartups 64:30:128
ClientAliveInterval 5
ClientAliveCountMax 3
"""


@click.command("sshd-config")
@pass_hub
def sshd_config(folder: HubFolder) -> None:
    """Print the settings of the sshd of a hub whose sites have accounts; for /etc/songshan-hub/sshd_config.

    Example: songshan-hub --hub /srv/songshan-hub sshd-config
    """
    settings = folder.settings()
    if not settings.accounts:
        raise Refused(
            Text(
                "此嵩山云不用分站账户，用 songshan-hub serve", "this hub has no accounts: songshan-hub serve serves it"
            )
        )
    click.echo(of_accounts(folder, settings), nl=False)


def of_accounts(folder: HubFolder, settings: HubSettings) -> str:
    """For an sshd that root starts: it lets in the sites' accounts and nobody else.

    Their keys are the hub's business and in its folder, so they are read as the hub's account, by a program of root's.
    """
    keys = _percent_kept(f"{folder.account_keys}/")
    lines = [
        "# Written by songshan-hub sshd-config.",
        *(f"ListenAddress {_with_port(address, settings.port)}" for address in settings.listen),
        f"Port {settings.port}",
        f'HostKey "{folder.host_key}"',
        "AuthorizedKeysFile none",
        f'AuthorizedKeysCommand /usr/bin/cat "{keys}%u"',
        f"AuthorizedKeysCommandUser {settings.user}",
        f"AllowGroups {GROUP}",
        "PermitRootLogin no",
    ]
    return _text(lines) + COMMON


def of_serve(folder: HubFolder, settings: HubSettings, mark: Path) -> str:
    """For `serve`: all sites come in as one account, on the loopback address."""
    lines = [
        "# Written by songshan-hub serve.",
        f"ListenAddress {LOOPBACK}:{settings.port}",
        f'HostKey "{folder.host_key}"',
        f'AuthorizedKeysFile "{_percent_kept(str(folder.authorized_keys))}"',
        f"AllowUsers {settings.user}",
        "StrictModes no",
        "PermitRootLogin forced-commands-only",
        f'SetEnv {SERVING_VARIABLE}="{mark}"',
    ]
    return _text(lines) + COMMON


def _with_port(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _percent_kept(text: str) -> str:
    return text.replace("%", "%%")


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
