"""The whole pair in one thread: agent, hub, disks, link and clocks; one integer decides everything.

Read `run.py` first, then `oracle.py` for what must hold; `make sim SEED=N` plays one seed and shows it.
"""

SEEDS_IN_TEST = 600
"""So many are played by `make test`, on two cores in about a minute."""
