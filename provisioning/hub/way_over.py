"""How a box that trusts a former key is led to the next: by what that key signed before it went, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from appliance.core.journal import Checkpoint, Position, Record, position_after
from appliance.core.snapshot import Statement, parse_statement_text
from provisioning.hub.folder import HubFolder
from provisioning.hub.keys import rotation_from

WAY_OVER: Final = "all/control"


@dataclass(frozen=True)
class WayOver:
    """From one key to the next. `begins` stands for what was compacted away."""

    place: Position
    vouched: dict[Position, Checkpoint]
    begins: Statement | None

    def cut(self, batch: Sequence[Record]) -> tuple[Sequence[Record], Checkpoint | None]:
        """The longest beginning of a batch that ends where the former key signed; None where there is none."""
        for number in range(len(batch), 0, -1):
            signed = self.vouched.get(position_after(batch[number - 1]))
            if signed is not None:
                return batch[:number], signed
        return (), None

    def newest(self, _stream: str) -> Checkpoint:
        """Its last word: on the record that says which key follows."""
        return self.vouched[self.place]


def way_over(folder: HubFolder, trusts: str) -> WayOver | None:
    """None where the key that is trusted does not lead to the one that signs now."""
    rotation = rotation_from(folder, trusts)
    if rotation is None:
        return None
    begins = parse_statement_text(*rotation.begins) if rotation.begins is not None else None
    return WayOver(rotation.place, rotation.vouched(), begins)
