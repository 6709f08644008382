"""A hub and a box of the simulator, for the named scenarios: everything calm but what the test does."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.core import moment, records
from appliance.core.item import Item, SignOff
from provisioning.hub import publish
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.hub.sites import all_sites
from tests.simulation.oracle import Oracle
from tests.simulation.pair import Pair, pair
from tests.simulation.run import decided_by

SECOND = 1_000_000
BYTES_MAX = 1 << 20


class Night:
    """One pair with its oracle, which looks after every round."""

    def __init__(self, both: Pair) -> None:
        self.pair, self.oracle = both, Oracle(both)
        self.hub, self.box = both.hub, both.box
        both.is_calm = True

    def rounds(self, count: int = 12, pause_us: int = 2 * SECOND) -> None:
        for _round in range(count):
            self.pair.round(pause_us)
            self.oracle.look()

    def publish(self, name: str, content: bytes) -> None:
        """A story with one file, to all."""
        path = self.hub.folder.path.with_name(f"{name}.bin")
        path.write_bytes(content)

        def work(folder: HubFolder) -> None:
            at = moment.to_text(folder.now_us())
            assets = publish.files_as_assets(folder, [path], BYTES_MAX)
            item = Item(name, name, "news", "hub", at, assets=assets, sign_offs=(SignOff("final", "songshan", at),))
            publish.send_item(folder, item, "all", all_sites(folder), offer=False)

        assert self.pair.operator(work)

    def order(self, name: str) -> None:
        body = records.Order(name, name, "", None)
        assert self.pair.operator(lambda folder: HubJournals(folder).append("all/control", "order", name, body))

    def write(self, stream: str, kind: str, key: str, body: bytes) -> None:
        """A record as another version of the hub might write it."""

        def work(folder: HubFolder) -> None:
            with HubJournals(folder).writing() as pen:
                pen.append_bytes(stream, kind, key, body)

        assert self.pair.operator(work)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        return [tuple(row) for row in self.box.db.conn.execute(sql).fetchall()]

    def shown(self) -> list[str]:
        """The digests that the box serves."""
        return sorted(path.name for path in self.box.config.public.iterdir())

    def alarms(self) -> set[str]:
        return {str(name) for (name,) in self.rows("SELECT id FROM alarms")}

    def restart(self, *, with_power: bool = False) -> None:
        self.pair.box_dies(with_power=with_power)
        self.rounds(2)
        assert self.box.agent is not None


@contextmanager
def night(root: Path, seed: int = 1) -> Iterator[Night]:
    """A copy of the template in `root`."""
    with decided_by(seed), pair(root, seed) as both:
        yield Night(both)
