"""An import from a stick and an export to one: how far, how fast, when it ends, how it ended. PURE."""

from appliance.core.health import Carrying
from appliance.core.manifest import Exported
from appliance.core.moment import US
from tui.look import Look
from tui.rows import Advice, Fact, Level, Line, Tile


def importing(seen: Carrying, now_us: int, look: Look) -> Tile:
    """The import under way or the last one, as the agent says."""
    words = {
        "none": (look.say("none yet"), Level.GOOD),
        "reading": (look.say("reading records"), Level.NOTE),
        "copying": (look.say("copying"), Level.NOTE),
        "done": (look.say("done, may be pulled out"), Level.GOOD),
        "failed": (look.say("broke off"), Level.WARN),
    }
    word, level = words[seen.state]
    if seen.state == "none":
        return Tile(look.say("Import"), word, level)
    facts: list[Line] = [Fact(look.say("Stick"), look.data(seen.path), _age(seen.began_us, now_us, look))]
    if seen.state == "copying":
        facts += _progress(seen.bytes_done, seen.bytes_done + seen.bytes_left, seen.rate_bytes_per_s, now_us, look)
    told = look.say("{records} records, {files} files").format(records=seen.records, files=seen.assets_done)
    facts.append(Fact(look.say("Taken in"), told, look.size(seen.bytes_done)))
    if seen.assets_failed:
        facts.append(Fact(look.say("Failed"), str(seen.assets_failed), level=Level.WARN))
    if seen.reason is not None:
        facts.append(
            Advice(Level.WARN, look.of(seen.reason), look.say("Put it in and import again: it goes on there."))
        )
    return Tile(look.say("Import"), word, level, tuple(facts))


def exporting(seen: Exported | None, now_us: int, look: Look) -> Tile:
    """The same of an export, as the process says that does it."""
    if seen is None:
        return Tile(look.say("Export"), look.say("none yet"), Level.GOOD)
    words = {
        "running": (look.say("writing"), Level.NOTE),
        "done": (look.say("done, may be pulled out"), Level.GOOD),
        "failed": (look.say("broke off"), Level.WARN),
    }
    word, level = words[seen.state]
    facts: list[Line] = [Fact(look.say("Stick"), look.data(seen.path), _age(seen.began_us, now_us, look))]
    if seen.state == "running":
        elapsed_s = max(1, seen.at_us - seen.began_us) / US
        rate = seen.done_bytes / elapsed_s if seen.done_bytes else None
        facts += _progress(seen.done_bytes, seen.all_bytes, rate, now_us, look)
    else:
        told = look.say("{records} records, {files} files").format(records=seen.records, files=seen.assets)
        facts.append(Fact(look.say("Written"), told, look.size(seen.done_bytes)))
    if seen.left_assets:
        facts.append(Fact(look.say("No room for"), str(seen.left_assets), level=Level.WARN))
    if seen.problem is not None:
        facts.append(Advice(Level.WARN, look.of(seen.problem)))
    return Tile(look.say("Export"), word, level, tuple(facts))


def _age(at_us: int | None, now_us: int, look: Look) -> str:
    return look.ago(at_us, now_us) if at_us is not None else ""


def _progress(done: int, all_bytes: int, rate: float | None, now_us: int, look: Look) -> list[Line]:
    """How much, how fast, and when it ends."""
    share = f"{100 * done // all_bytes}%" if all_bytes else "-"
    sizes = look.say("{done} of {all}").format(done=look.size(done), all=look.size(all_bytes))
    found: list[Line] = [Fact(look.say("Copied"), f"{share}  {sizes}")]
    if rate:
        ends = look.clock(now_us + int((all_bytes - done) / rate * US), now_us)
        found.append(Fact(look.say("Rate"), look.rate(rate), look.say("done {clock}").format(clock=ends)))
    return found
