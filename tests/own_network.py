"""A network of the kernel's own parts, for one test: what is run by its prefix is in there. For root."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from uuid import uuid4

import pytest

LIMIT_S = 10


@contextmanager
def own_network() -> Iterator[tuple[str, ...]]:
    """A new network with nothing in it, gone at the end of the block. Gives the prefix of what is run in it.

    The test is skipped where none can be made.
    """
    if missing := _lacking():
        pytest.skip(missing)
    with _network() as within:
        yield within


@contextmanager
def _network() -> Iterator[tuple[str, ...]]:
    name = f"songshan-{uuid4().hex[:8]}"
    said("ip", "netns", "add", name)
    try:
        within = ("ip", "netns", "exec", name)
        said(*within, "ip", "link", "set", "lo", "up")
        yield within
    finally:
        said("ip", "netns", "del", name)


@contextmanager
def joined() -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Two of them, joined by a cable: `card` in each, without an address."""
    with own_network() as here, own_network() as there:
        said(*here, "ip", "link", "add", "card", "type", "veth", "peer", "name", "card", "netns", there[-1])
        for side in (here, there):
            said(*side, "ip", "link", "set", "card", "up")
        yield here, there


@cache
def _lacking() -> str:
    """Why this machine cannot make one with a firewall in it, "" where it can."""
    try:
        with _network() as within:
            said(*within, "nft", "add", "table", "inet", "tried")
            return ""
    except (OSError, subprocess.SubprocessError) as error:
        told = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
        return f"no network of a test's own here: {told.strip()}"


def said(*argv: str, stdin: str = "") -> str:
    """What a command prints. Raises CalledProcessError where it fails."""
    path = {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    return subprocess.run(
        argv, input=stdin, capture_output=True, text=True, check=True, timeout=LIMIT_S, env={**os.environ, **path}
    ).stdout
