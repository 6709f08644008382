"""`python -m tests.machines`: machines to work with by hand. README in `tests/machines/__init__.py`."""

import argparse
import os
import shlex
import sys
from typing import Final

from tests.machines.debian import image
from tests.machines.machine import NUMBERS, Machine
from tests.machines.places import must_be_root

_ACTS: Final = {"up": "switch it on", "down": "shut it down", "cut": "cut its power", "ssh": "a shell in it"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.machines", description="Machines of Debian in QEMU")
    acts = parser.add_subparsers(dest="act", required=True)
    for act, told in _ACTS.items():
        one = acts.add_parser(act, help=told)
        one.add_argument("name", choices=NUMBERS)
        if act == "up":
            one.add_argument("--bare", action="store_true", help="with a new, bare disk")
            one.add_argument("--kept", help="with the disk that was kept under this name")
            one.add_argument("--clock", default="utc", help="what its clock shows: utc or 1970-01-01T00:00:00")
        if act == "down":
            one.add_argument("--keep", help="keep its disk under this name")
        if act == "ssh":
            one.add_argument("command", nargs="*")
    given = parser.parse_args()
    must_be_root()
    machine = Machine(given.name, image())
    if given.act == "up":
        _up(machine, given)
    elif given.act == "cut":
        print(machine.power_cut())
    elif given.act == "ssh":
        words = machine.shell.argv(" ".join(given.command))
        os.execvp(words[0], words)
    else:
        machine.shut_down()
        if given.keep:
            machine.save(given.keep)


def _up(machine: Machine, given: argparse.Namespace) -> None:
    if machine.running() is not None:
        sys.exit(f"{given.name} is on already")
    if given.kept:
        machine.load(given.kept)
    elif given.bare or not machine.disk.exists():
        machine.install()
    machine.power_on(clock=given.clock)
    print(f"{machine.wait_for_ssh():.1f} s", file=sys.stderr)
    print(shlex.join(machine.shell.argv()))
    print(machine.http)


if __name__ == "__main__":
    main()
