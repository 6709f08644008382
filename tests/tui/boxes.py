"""A box's folder for the screens to look at, with a database as the agent leaves it."""

import time
from pathlib import Path

from appliance.config import ChannelConfig, Config, config_path, load, render
from appliance.core.health import Agent, Clock, Link
from appliance.core.moment import US
from appliance.store.database import transaction, writing
from appliance.store.facts import set_status


def make_box(home: Path) -> Config:
    """A box that was enrolled and never ran."""
    channels = (ChannelConfig("dengfeng-1", "登封综合频道"),)
    text = render(Config(home=home, run=home / "run", site="dengfeng", name="登封市融媒体中心", channels=channels))
    home.mkdir(parents=True, exist_ok=True)
    config_path(home).write_text(text)
    return load(home, {})


def run_agent_once(config: Config) -> None:
    """What the agent writes down of itself in one turn of its loop."""
    now_us = time.time_ns() // 1000
    with writing(config.database) as db, transaction(db):
        set_status(db, Agent(state="running", pid=1, started_at_us=now_us - 60 * US, version="0.1.0"), now_us)
        set_status(db, Link(state="connected", hub="songshan", since_us=now_us - 60 * US, round_trip_ms=12.0), now_us)
        set_status(db, Clock(synchronised=True, hub_offset_ms=3.0), now_us)
