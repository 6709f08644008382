"""The two hubs that must behave alike: the simulated one, and `songshan-hub serve`."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from appliance.core.asset import Asset, hex_of
from appliance.core.journal import Record
from edge_agent.hub_ssh import HubLink
from tests.contract.box import Box, HubUnderTest, Line, now_us
from tests.provisioning.live import LiveBox, LiveHub
from tests.simulators.hub import SimulatedHub

SITES = ("dengfeng", "zhongmu")
CONNECT_TIMEOUT_S = 20.0


@dataclass
class Simulated:
    """The hub in memory."""

    simulated: SimulatedHub
    keys: dict[str, Ed25519PrivateKey]

    @property
    def sign_key(self) -> Ed25519PublicKey:
        return self.simulated.key.public_key()

    def connect(self, site: str) -> Line:
        return self.simulated.connect(site)

    def site_key(self, site: str) -> Ed25519PrivateKey:
        return self.keys[site]

    def append(self, stream: str, kind: str, key: str, body: bytes) -> Record:
        return self.simulated.append(stream, kind, key, body)

    def held(self, site: str) -> list[Record]:
        return list(self.simulated.sites[site].report)

    def upload(self, site: str, digest: str, content: bytes) -> None:
        self.simulated.sites[site].incoming[digest] = content

    def let_read(self, site: str, content: bytes) -> str:
        return self.simulated.let_read(site, content)

    def refusals(self) -> int:
        return len(self.simulated.refusals)


@dataclass
class Real:
    """A folder, an sshd, and the line that the agent uses."""

    live: LiveHub
    boxes: dict[str, LiveBox]

    @property
    def sign_key(self) -> Ed25519PublicKey:
        return self.live.journals.key.public_key()

    def connect(self, site: str) -> Line:
        box = self.boxes[site]
        return HubLink.connect(box.bundle.hub, box.home / "keys" / "ssh", CONNECT_TIMEOUT_S)

    def site_key(self, site: str) -> Ed25519PrivateKey:
        return self.boxes[site].sign_key

    def append(self, stream: str, kind: str, key: str, body: bytes) -> Record:
        with self.live.journals.writing() as pen:
            return pen.append_bytes(stream, kind, key, body)

    def held(self, site: str) -> list[Record]:
        return list(self.live.journals.stream(f"{site}/report").records())

    def upload(self, site: str, digest: str, content: bytes) -> None:
        path = self.boxes[site].home / hex_of(digest)
        path.write_bytes(content)
        done = self.boxes[site].upload(path)
        assert done.returncode == 0, done.stderr

    def let_read(self, site: str, content: bytes) -> str:
        """By hand: what is published is never empty."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        path = self.live.library.path_of(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.live.library.let_read(site, [Asset(digest, len(content))])
        return digest

    def refusals(self) -> int:
        return len(self.live.refusals())


@pytest.fixture(scope="module", params=["simulated", "real"])
def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubUnderTest]:
    """Each behaviour is asked of both."""
    if request.param == "simulated":
        keys = {site: Ed25519PrivateKey.generate() for site in SITES}
        simulated = SimulatedHub(now_us=now_us)
        for site, key in keys.items():
            simulated.enrol(site, key.public_key())
        yield Simulated(simulated, keys)
        return
    folder: Path = tmp_path_factory.mktemp("hub")
    live = LiveHub(folder / "hub")
    live.run("init")
    live.serve()
    yield Real(live, {site: live.box(site, folder / site) for site in SITES})
    assert live.end() == 0


@pytest.fixture(scope="module")
def dengfeng(hub: HubUnderTest) -> Box:
    return Box(hub, "dengfeng")
