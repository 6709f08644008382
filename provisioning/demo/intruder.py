"""What a site's own key must not be able to do: read or write what is another's, or leave its two folders.

Used by the demo's check and by the tests, with the plain ssh and rsync programs and no code of the box, as somebody
who took the key would.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.core.asset import hex_of

TIMEOUT_S: Final = 20
VICTIM: Final = "dengfeng"


@dataclass(frozen=True)
class Attempt:
    """One thing to try; `argv` may have `{into}` for the folder to fill, `loot` is what success would bring."""

    what: str
    argv: tuple[str, ...]
    said_first: bytes = b""
    loot: bytes = b""


@dataclass(frozen=True)
class Outcome:
    succeeded: bool
    said: str


def attempts(hub: Path, port: int, home: Path, digest: str) -> Iterator[Attempt]:
    """Everything that the site whose box is at `home` must be refused; `digest` is readable by VICTIM alone."""
    ssh = _ssh(hub, port, home)
    remote = f"{_user(hub)}@127.0.0.1"
    name = hex_of(digest)
    paths = (
        name,
        f"../{VICTIM}/readable/{name}",
        f"../../assets/{name[:2]}/{name}",
        "/etc/passwd",
        "../../../../../../etc/passwd",
    )
    for path in paths:
        yield Attempt(
            f"rsync of {path[:40]}", ("rsync", "-e", ssh, "-rL", "--timeout=15", f"{remote}:{path}", "{into}/")
        )
    for path in (f"../{VICTIM}/incoming/x", "/tmp/songshan-intruder", "../../keys/sign"):  # noqa: S108  # must be refused
        yield Attempt(f"rsync into {path}", ("rsync", "-e", ssh, "--timeout=15", "/etc/hostname", f"{remote}:{path}"))
    for command in ("cat /etc/passwd", f"gate {VICTIM}", "session; cat /etc/passwd", "sh", ""):
        yield Attempt(f"ssh {command!r}", (*ssh.split(), remote, *([command] if command else [])), loot=b"root:")
    for line in _sessions():
        yield Attempt(
            f"session as {VICTIM}: {line[:40]!r}",
            (*ssh.split(), remote, "session"),
            said_first=line,
            loot=b'"stream":"dengfeng/',
        )


def run(attempt: Attempt) -> Outcome:
    """Try it. A session or a shell succeeds when it brings the loot, a transfer when it ends well."""
    with tempfile.TemporaryDirectory() as into:
        argv = [argument.replace("{into}", into) for argument in attempt.argv]
        try:
            done = subprocess.run(argv, input=attempt.said_first, capture_output=True, timeout=TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired as expired:
            return Outcome(attempt.loot in (expired.stdout or b""), "no answer")
        brought = any(path.is_file() for path in Path(into).rglob("*"))
        said = (done.stderr or done.stdout).decode(errors="replace").strip()[-200:]
        if attempt.loot:
            return Outcome(attempt.loot in done.stdout, said)
        return Outcome(done.returncode == 0 or brought, said)


def _sessions() -> Iterator[bytes]:
    hello = {"t": "hello", "v": 1, "site": VICTIM, "software": "x", "time": "2026-01-01T00:00:00Z"}
    head = {"epoch": 1, "seq": 0, "head": "0" * 64}
    have = {f"{VICTIM}/control": head, f"{VICTIM}/content": head}
    for site in (VICTIM, "zhongmu"):
        yield json.dumps({**hello, "site": site, "have": have, "offer": head}).encode() + b"\n"


def _ssh(hub: Path, port: int, home: Path) -> str:
    known = home / "run" / "known_hosts.intruder"
    known.parent.mkdir(parents=True, exist_ok=True)
    public = (hub / "keys" / "ssh_host_ed25519_key.pub").read_text().split()
    known.write_text(f"[127.0.0.1]:{port} {public[0]} {public[1]}\n")
    options = f"-o UserKnownHostsFile={known} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes -o BatchMode=yes"
    return f"ssh -F none -p {port} -i {home / 'keys' / 'ssh'} {options}"


def _user(hub: Path) -> str:
    return hub.owner()
