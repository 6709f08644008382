"""The hub's data comes back from yesterday's backup, and both ends go on: what of today is lost at the box.

A new file and an edit came to the box today. Then the hub's data is put back as it was yesterday; what the programs
remember of the last common state is of today (F1 of the study: a hub's disk is restored, its boxes are not).
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from tests.bench import ours, sync, syncthing
from tests.bench.corpus import Corpus, small
from tests.bench.oneshot import Account, OneShot, account
from tests.bench.program import Program, TooSlow, put_in_place
from tests.bench.row import Row

FILES = 100
LIMIT_S = 60
NEW = "今日.bin"
ALL_OF_TODAY = 2


def rows(folder: Path, *, quick: bool) -> Iterator[Row]:
    """What was lost of the new file and the edit."""
    corpus = small(folder / "corpus", FILES)
    found: dict[str, int] = {}
    with account(folder / "account") as ssh_account:
        for name in sync.chosen(quick=quick):
            try:
                found[name] = _lost_by(folder / name, name, ssh_account, corpus)
            except sync.PEER_FAILS as error:
                if name == "ours":
                    raise
                print(f"  {name} failed, no figures of it: {error}", flush=True)
    shown = {name: f"{lost} of {ALL_OF_TODAY} lost" for name, lost in found.items()}
    yield Row(
        "hub's data restored from yesterday: today's file and edit at the box",
        shown.pop("ours"),
        "; ".join(f"{name} {said}" for name, said in shown.items()) or "-",
        "nothing lost",
        found["ours"] == 0,
        {name: {"lost_files": lost} for name, lost in found.items()},
    )


def _lost_by(folder: Path, name: str, ssh_account: Account, corpus: Corpus) -> int:
    with sync.own_folder(folder) as own, closing(sync.made(own, name, ssh_account)) as one:
        one.connect(one.server_port)
        one.stock(corpus)
        one.sync(LIMIT_S)
        return _of_ours(one) if isinstance(one, ours.Ours) else _of_trees(one, corpus)


def _of_ours(one: ours.Ours) -> int:
    """The same with the hub's whole folder, which is its journals, its assets and its keys."""
    yesterday = one.folder / "yesterday"
    shutil.copytree(one.stage.hub, yesterday, copy_function=_second_name)
    arrived = [one.change(1), one.change_text(1)]
    one.sync(LIMIT_S)
    assert all(has_come() for has_come in arrived), "today came to the box"
    one.stage.stop()
    shutil.rmtree(one.stage.hub)
    yesterday.rename(one.stage.hub)
    one.stage.start_hub()
    _sync(one)
    return _lost(arrived)


def _of_trees(one: Program, corpus: Corpus) -> int:
    if isinstance(one, syncthing.Syncthing):
        hub, box = one.hub.tree, one.box.tree
    else:
        assert isinstance(one, OneShot)
        hub, box = one.hub, one.box
    yesterday = hub.with_name("yesterday")
    shutil.copytree(hub, yesterday)
    edited = one.change(1)
    data = put_in_place(hub / NEW, 2)

    def is_new_there() -> bool:
        return (box / NEW).is_file() and (box / NEW).read_bytes() == data

    arrived = [edited, is_new_there]
    one.sync(LIMIT_S)
    assert all(has_come() for has_come in arrived), "today came to the box"
    for entry in [path for path in hub.iterdir() if path.name != ".stfolder"]:
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    shutil.copytree(yesterday, hub, dirs_exist_ok=True)
    _sync(one)
    return _lost(arrived)


def _sync(one: Program) -> None:
    """As far as it gets: one that stops and asks a person has lost nothing yet."""
    try:
        one.sync(LIMIT_S)
    except (TooSlow, AssertionError) as error:
        print(f"{one.name}: {str(error)[:200]}", flush=True)


def _lost(arrived: list[Callable[[], bool]]) -> int:
    return sum(not is_there() for is_there in arrived)


def _second_name(source: str, target: str) -> None:
    """Assets never change; what does change is small."""
    if Path(source).parent.parent.name == "assets":
        Path(target).hardlink_to(source)
    else:
        shutil.copy2(source, target)
