"""Copies of disks, and machines that come back with them: the hub with the keys that its operator keeps beside."""

import shutil
from pathlib import Path
from typing import Final

from provisioning.hub.journals import HubJournals
from provisioning.hub.keys import rotations
from tests.simulation.oracle import Oracle
from tests.simulation.pair import Pair
from tests.simulators.disk import Volume

RESTORES_MOST: Final = 3
"""In one night: a machine that parts from its own history more than eight times a day waits for a person."""


class Backups:
    """Of one pair."""

    def __init__(self, pair: Pair, oracle: Oracle) -> None:
        self.pair, self.oracle = pair, oracle
        self._images: dict[str, Path] = {}
        self._restored = 0
        self._has_hub_come_back = False
        self._signed = ""
        """The key that signed when the hub was lost, "" before that."""

    def is_hub_owed(self) -> bool:
        """Whether the hub came back from a backup, and the box may still hold what that lacks."""
        histories = self.oracle.histories
        if self._has_hub_come_back and histories is not None:
            self._has_hub_come_back = self.pair.box.agent is None or any(histories.open_ends())
        return self._has_hub_come_back

    def keep(self, side: Volume) -> None:
        """Somebody copies a disk, or the backup runs: between two turns, as a snapshot of the file system has it."""
        image = side.root.with_name(f"{side.root.name}.image")
        shutil.rmtree(image, ignore_errors=True)
        shutil.copytree(side.root, image)
        self._images[side.root.name] = image
        self.pair.trace(f"  of the {side.root.name}")

    def restore(self) -> None:
        """A disk breaks, and the machine comes back with the copy."""
        if not self._images or self._restored >= RESTORES_MOST or self.oracle.twins:
            return
        self._restored += 1
        name = self.pair.chance.choice(sorted(self._images))
        self.pair.trace(f"  the {name}")
        self.oracle.comes_back(hub=name == "hub")
        if name == "hub":
            self._has_hub_come_back = True
            self.pair.hub_dies(with_power=True)
            self._put_hub_back(self._images[name])
        else:
            self.pair.box_dies(with_power=True)
            self.pair.box.put_back(self._images[name])

    def _put_hub_back(self, image: Path) -> None:
        """With the keys of today: they have a backup of their own, made whenever they have changed. Unless the box has
        not heard of the change: then it is undone, for the record of it is lost."""
        hub = self.pair.hub
        self._forget_begun()
        self._signed = HubJournals(hub.folder).signs()
        shutil.rmtree(self._keys, ignore_errors=True)
        shutil.copytree(hub.folder.sign_key.parent, self._keys)
        hub.put_back(image)
        self.bring_newer_keys()

    def bring_newer_keys(self) -> None:
        """Where the box judges by the key that signed before the hub came back. It may come to know of that only
        afterwards: the record of the change was on the line."""
        hub = self.pair.hub
        # What was changed since the hub came back leads on from that key by itself.
        is_lost = all(each.body.former != self._signed for each in rotations(hub.folder))
        if is_lost and self._signed == self.pair.trusts(self.pair.box) != HubJournals(hub.folder).signs():
            shutil.rmtree(hub.folder.sign_key.parent)
            shutil.copytree(self._keys, hub.folder.sign_key.parent)
            hub.volume.settle()

    @property
    def _keys(self) -> Path:
        return self.pair.hub.volume.root.with_name("hub.keys")

    def _forget_begun(self) -> None:
        """A change of the key that had not come so far as to sign anything is in no backup."""
        folder = self.pair.hub.folder
        signs = HubJournals(folder).signs()
        if not folder.next_sign_key.exists() or self.pair.trusts(self.pair.box) != signs:
            return
        folder.next_sign_key.unlink()
        begun = rotations(folder)
        if begun and not begun[-1].is_finished and begun[-1].body.sign_key != signs:
            (folder.rotations / f"{len(begun)}.json").unlink()
