"""Hub and box as real Debian machines in QEMU.

`make appliance-test` plays its scenarios with them; this is how to use one by hand.

    python -m tests.machines up box [--bare]        switches it on and prints its ssh line (the first time it
                                                    makes the image: a minute)
    python -m tests.machines ssh box [CMD]          a shell in it, as root
    python -m tests.machines cut box                cuts its power (disk.py says what that takes)
    python -m tests.machines down box [--keep NAME] shuts it down, and keeps its disk under a name
    python -m tests.machines up box --kept NAME     the disk as it was kept

`hub` is the other one. In code: `machine.Machine`, with `run`, `put`, `write` in its `shell` (shell.py), `link` for its
cables, `plug` for a stick, `power_cut`, `shut_down`; `debian.image()` is the bare machine. What all of it makes lies in
build/machines.

A bare machine has sshd, Python 3.11, systemd, iproute2 and dbus, one processor (the box two), no packages to be had,
and no way out.
Its cards are `mgmt` (the operator's; port 80 is forwarded too), `line` (hub 10.44.0.1, box 10.44.0.2) and, at the box,
`air`.

MACHINES_ACCEL=kvm uses the processor's own virtualisation where there is one; the default is tcg, which works
everywhere and is what counts. In a machine that is virtual itself KVM may be the slower one: measure.
"""
