"""What is copied: trees of files whose bytes follow from a seed, so that every run copies the same."""

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SMALL_BYTES = (1024, 4096)
"""The size of a small file lies between these: a caption, a picture of a list, a page."""
PER_FOLDER = 1000
SEED = 3
BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Corpus:
    """`count` files under `folder`."""

    folder: Path
    count: int
    size_bytes: int

    def files(self) -> Iterator[Path]:
        """In the order of their names."""
        yield from sorted(path for path in self.folder.rglob("*") if path.is_file())

    def linked_to(self, folder: Path) -> None:
        """The same tree once more, of second names: quick, and no second gigabyte. Whoever changes a file of it must
        put another in its place, not write into it."""
        shutil.copytree(self.folder, folder, copy_function=lambda source, target: Path(target).hardlink_to(source))

    def copied_to(self, folder: Path) -> None:
        """A tree of its own, with the times of this one."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)

    def is_in(self, folder: Path) -> bool:
        """Whether a tree has as many files with as many bytes; each program verifies their content by itself."""
        held = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        return (len(held), sum(held)) == (self.count, self.size_bytes)


def small(folder: Path, count: int) -> Corpus:
    """Files of 1 to 4 KiB, a thousand to a folder."""
    source, total = random.Random(SEED), 0  # not secret: it has to be the same again
    for number in range(count):
        if number % PER_FOLDER == 0:
            (folder / f"{number // PER_FOLDER:03d}").mkdir(parents=True)
        data = source.randbytes(source.randint(*SMALL_BYTES))
        (folder / f"{number // PER_FOLDER:03d}" / f"稿件-{number:06d}.bin").write_bytes(data)
        total += len(data)
    return Corpus(folder, count, total)


def large(folder: Path, count: int, mib: int) -> Corpus:
    """Files of so many MiB that nothing compresses."""
    folder.mkdir(parents=True)
    source = random.Random(SEED)  # not secret: it has to be the same again
    for number in range(count):
        with (folder / f"成片-{number:03d}.bin").open("wb") as file:
            for _ in range(mib):
                file.write(source.randbytes(BLOCK_BYTES))
    return Corpus(folder, count, count * mib * BLOCK_BYTES)
