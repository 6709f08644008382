"""The table of docs/security.md, made of the units' own lines: `python -m tests.deploy.rights` prints it."""

from pathlib import Path
from typing import Final

SYSTEMD: Final = Path(__file__).parents[2] / "systemd"
_UNSEEN: Final = {"/run/media", "/media", "/mnt", "/srv"}


def table() -> str:
    """One row for each service of a box."""
    rows = ["| unit | as | capabilities | network | may write | does not see |", "|---|---|---|---|---|---|"]
    for unit in sorted(SYSTEMD.glob("songshan*.service")):
        told = _settings(unit)
        cells = (f"`{unit.stem}`", _user(told), _capabilities(told), _network(told), _writes(told), _unseen(told))
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _settings(unit: Path) -> dict[str, str]:
    """The last of each key; what stands twice is of no interest here."""
    pairs = (line.partition("=") for line in unit.read_text().splitlines() if line[:1].isalpha())
    return {key: value for key, _equals, value in pairs}


def _user(told: dict[str, str]) -> str:
    return "a user of the moment" if told.get("DynamicUser") == "yes" else f"`{told['User']}`"


def _capabilities(told: dict[str, str]) -> str:
    return ", ".join(f"`{each}`" for each in told["CapabilityBoundingSet"].split()) or "none"


def _network(told: dict[str, str]) -> str:
    families = told["RestrictAddressFamilies"].split()
    if told.get("PrivateNetwork") == "yes":
        return "none" if families == ["none"] else "none; sockets of the machine's own"
    where = " to itself alone" if told.get("IPAddressAllow") == "localhost" else ""
    return ", ".join(each.removeprefix("AF_") for each in families if each != "AF_UNIX") + where


def _writes(told: dict[str, str]) -> str:
    owned = [f"/var/lib/{each}" for each in told.get("StateDirectory", "").split()[:1]]
    owned += [f"/run/{each}" for each in told.get("RuntimeDirectory", "").split()]
    owned += [each.lstrip("-") for each in told.get("ReadWritePaths", "").split()]
    return ", ".join(f"`{each}`" for each in owned if each != "/run/songshan-incident") or "nothing"


def _unseen(told: dict[str, str]) -> str:
    paths = [each.lstrip("-") for each in told.get("InaccessiblePaths", "").split()]
    shown = [f"`{each}`" for each in paths if each not in _UNSEEN]
    return ", ".join([*shown, *(["sticks"] if _UNSEEN & set(paths) else [])]) or "home folders"


if __name__ == "__main__":
    print(table(), end="")
