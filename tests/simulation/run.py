"""One seed, from the first action to the point where both sides agree."""

import logging
import random
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from appliance import spool
from appliance.core.health import Machine
from appliance.store import journals
from edge_agent import health
from provisioning.hub import keys, rotation
from provisioning.hub.journals import HubJournals
from tests.simulation import agreed
from tests.simulation.actions import SECOND, Scene, pause_us
from tests.simulation.at_box import HUB_STREAMS, OWN
from tests.simulation.histories import Histories
from tests.simulation.model import Violation
from tests.simulation.oracle import Oracle
from tests.simulation.pair import Pair, pair
from tests.simulation.sides import Box

ACTIONS_MOST = 16
NO_LINE = 0.15
"""Of all nights: a county without a line, unless it gets one in the middle."""
CALM_ROUNDS = 60
"""Of a minute each: the longest wait between two attempts is five, and there are attempts that need another first."""


def run(root: Path, seed: int, *, is_traced: bool = False) -> list[str]:
    """Play one history and check it; what was done, as lines. Raises Violation with the trace as its notes."""
    lines: list[str] = []

    def trace(text: str) -> None:
        lines.append(text)
        if is_traced:
            print(text, flush=True)

    with decided_by(seed), pair(root, seed) as both:
        both.trace = trace
        oracle = Oracle(both)
        try:
            scene = Scene(both, oracle)
            _play(both, oracle, scene)
            _calm(both, oracle, scene)
        except Exception as error:
            error.add_note("\n".join(["", *lines]))
            error.add_note(f"make sim SEED={seed}")
            raise
        trace(f"{both.disk.steps} calls changed a disk")
    shutil.rmtree(root / f"{seed}")
    return lines


def _play(both: Pair, oracle: Oracle, scene: Scene) -> None:
    """Safety: after every step everything holds that must."""
    if both.chance.random() < NO_LINE:
        both.is_line_up = False
        both.trace("no line")
    both.round(SECOND)
    oracle.look()
    for _action in range(both.chance.randint(4, ACTIONS_MOST)):
        scene.act()
        for _round in range(both.chance.randint(1, 3)):
            both.round(pause_us(both.chance))
            oracle.look()


def _calm(both: Pair, oracle: Oracle, scene: Scene) -> None:
    """Liveness: no more faults, and in so many rounds both sides have and show the same."""
    both.trace("calm")
    both.is_calm, both.is_line_up = True, True
    if both.is_forged:
        both.cut()
    for box in both.boxes:
        box.boots_in = 0
    for volume in both.volumes:
        volume.countdown = volume.failing = None
        with both.disk.on(volume):
            volume.set_full(False)
    both.round(SECOND)
    oracle.look()
    scene.backups.bring_newer_keys()
    _end_rotation(both)
    if oracle.twins:
        _until_none(both, oracle, oracle.twins.open_ends)
        oracle.twins.choose()
        chosen = oracle.twins.chosen()
        assert chosen is not None
        _until_none(both, oracle, lambda: (f"{box.config.home.name} is down" for box in both.boxes if not box.agent))
        if oracle.histories is None:
            oracle.histories = Histories(both, chosen)
            oracle.histories.note()
            oracle.histories.promise_lost()
    _until_none(both, oracle, lambda: _open_ends(both, oracle))


def _end_rotation(both: Pair) -> None:
    """Whoever changes the key and is broken off gives the same command again."""
    begun = keys.rotations(both.hub.folder)[-1:]
    if both.hub.folder.next_sign_key.exists() or (begun and not begun[0].is_finished):
        assert both.operator(lambda folder: list(rotation.steps(folder)))


def _until_none(both: Pair, oracle: Oracle, open_ends: Callable[[], Iterable[str]]) -> None:
    left = ["not looked yet"]
    for _round in range(CALM_ROUNDS):
        both.round(60 * SECOND if _round % 2 else SECOND)
        oracle.look()
        left = list(open_ends())
        if not left:
            return
    raise Violation(f"no agreement in {CALM_ROUNDS} rounds: {'; '.join(left)}")


def _open_ends(both: Pair, oracle: Oracle) -> Iterator[str]:
    """What is not as it must be in the end."""
    for box in both.boxes:
        if box.agent is None:
            yield f"{box.config.home.name} is down"
            return
        # A copy of before does not know what it was asked since.
        for name in oracle.at(box).put if oracle.histories is None or oracle.twins else ():
            if box.db.conn.execute("SELECT 1 FROM commands WHERE name = ?", (name,)).fetchone() is None:
                yield f"never carried out: {name}"
    if oracle.histories is not None:
        box = (oracle.twins.chosen() if oracle.twins else None) or both.box
        not_one = list(oracle.histories.open_ends())
        yield from not_one or agreed.open_ends(both, oracle, box)
        yield from _keys_left(both, box)
        if spool.pending(box.config) or journals.unsent(box.db, OWN):
            yield "something waits"
        if oracle.twins:
            yield from oracle.twins.others_are_told()
        return
    yield from _not_the_same(both.box, oracle)
    yield from oracle.words_left()
    yield from _keys_left(both, both.box)


def _keys_left(both: Pair, box: Box) -> Iterator[str]:
    """The box goes by the key that signs, and of the former ones nothing is left at the hub."""
    folder = both.hub.folder
    if both.trusts(box) != HubJournals(folder).signs():
        yield "the box trusts another key than the one that signs"
    kept = [path.read_bytes() for path in folder.sign_key.parent.rglob("*") if path.is_file()]
    # One that was begun to be changed, and was not, signs still.
    former = {former for former in both.former_files if former != folder.sign_key.read_bytes()}
    if any(each in data for each in former for data in kept):
        yield "a former key is still at the hub"


def _not_the_same(box: Box, oracle: Oracle) -> Iterator[str]:
    """Of a box that is alone with its key."""
    for name in (*HUB_STREAMS, OWN):
        (kept,) = box.db.conn.execute("SELECT count(*) FROM journal WHERE stream = ?", (name,)).fetchone()
        if kept != len(oracle.signed[name]):
            yield f"{name}: {len(oracle.signed[name])} records at the hub, {kept} at the box"
    if journals.unsent(box.db, OWN):
        yield "records wait for their acknowledgement"
    if waiting := spool.pending(box.config):
        yield f"{len(waiting)} commands wait"
    if dropped := [
        path.name for path in box.config.drop.iterdir() if not path.name.startswith(".") and path.suffix != ".txt"
    ]:
        yield f"dropped: {dropped}"
    # Nobody answers words that the hub has redacted; a box that holds the redaction back does not know it yet.
    for row in box.db.conn.execute(
        "SELECT id, state FROM submissions WHERE state NOT IN ('accepted', 'refused') AND id NOT IN (SELECT said.key"
        " FROM journal AS said JOIN journal AS gone ON gone.kind = 'redact' AND gone.state = 'held'"
        " AND gone.key = said.stream || ' ' || said.epoch || ':' || said.seq WHERE said.kind = 'submission')"
    ):
        yield f"submission {row[0]} is {row[1]}"
    names = {f"sha256:{path.name}" for path in box.config.public.iterdir()}
    for digest in sorted((oracle.at_hub.digests() & oracle.at_hub.kept_by_hub()) - names):
        yield f"not shown: {digest[:15]}"


@contextmanager
def decided_by(seed: int) -> Iterator[None]:
    """The seed decides what the product draws too, and no figure of this machine goes into what is said; its log goes
    nowhere."""
    random.seed(seed)
    tokens = random.Random(seed)
    real, measured = secrets.token_hex, health.machine
    health.machine = lambda: Machine(memory_total_bytes=1 << 34)
    secrets.token_hex = lambda nbytes=None: tokens.randbytes(nbytes or 32).hex()
    configured = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        secrets.token_hex, health.machine = real, measured
        structlog.configure(**configured)
