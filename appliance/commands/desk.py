"""What a technician or editor asks of the box: submit, take, untake, orders, answer. All but the lists go by the spool.

A command is safe when it lies in the spool. When the agent runs, the answer is awaited for a moment, so that a refusal
is the exit status of the very command; when it does not, the command is carried out once it is back.
"""

import getpass
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import click

from appliance import files, spool
from appliance.command import Box, language, now_us, pass_box, say, say_json
from appliance.commands.overview import clock_of
from appliance.config import Config
from appliance.core.command import Answer, Command, Redact, Submit, Take, Untake
from appliance.core.errors import Refused, Text, WorldError
from appliance.core.facts import as_facts
from appliance.core.health import OrderFact
from appliance.core.item import SECTIONS, TITLE_CHARS_MAX
from appliance.core.moment import to_text
from appliance.core.wire import stream_of_site
from appliance.store import desk
from appliance.store.database import reading
from appliance.store.facts import look
from appliance.store.journals import read_from
from appliance.store.redactions import newest_of

ANSWER_WAIT_S: Final = 3.0
POLL_S: Final = 0.05


@click.command()
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--title", help="what the item is called; else as its first file is")
@click.option("--section", default="news", show_default=True, type=click.Choice(SECTIONS))
@click.option("--summary", default="", help="a sentence or two")
@pass_box
def submit(box: Box, paths: Sequence[Path], title: str | None, section: str, summary: str) -> None:
    """回传：把一个或几个文件作为一篇稿件交给嵩山云。 Send an item up; what a drop in drop/ does too.

    Example: songshan submit clip.mp4 --title 早间新闻 --section news
    """
    names = tuple(files.name_for_people(path) for path in paths)
    called = title if title is not None else files.name_for_people(Path(paths[0].stem))
    command = Submit(
        title=called[:TITLE_CHARS_MAX], files=names, section=section, summary=summary, by=who(), via="cli", at=when()
    )
    hand_over(box.config, command, paths)


@click.command()
@click.argument("item")
@pass_box
def take(box: Box, item: str) -> None:
    """选用：从新闻超市取一篇稿件，在本站发布。 Take an item from the supermarket and publish it here.

    Example: songshan take 7f3a9c
    """
    hand_over(box.config, Take(item=item, by=who(), via="cli", at=when()))


@click.command()
@click.argument("item")
@pass_box
def untake(box: Box, item: str) -> None:
    """退回选用的稿件。 Give an item back.

    Example: songshan untake 7f3a9c
    """
    hand_over(box.config, Untake(item=item, by=who(), via="cli", at=when()))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="for programs")
@pass_box
def orders(box: Box, as_json: bool) -> None:
    """调度指令：待答的在前。 What the command desk asks, unanswered first.

    Example: songshan orders
    """
    with reading(box.config.database) as db:
        found = desk.orders(db)
    if as_json:
        say_json({"orders": as_facts(found)})
        return
    for order in found:
        _say_order(order, box.config.zone)
    if not found:
        say(Text("没有调度指令", "there are no orders"))


@click.command()
@click.argument("order")
@click.argument("said", metavar="ANSWER", type=click.Choice(("accepted", "done", "declined")))
@click.option("--note", default="", help="what to add")
@pass_box
def answer(box: Box, order: str, said: Literal["accepted", "done", "declined"], note: str) -> None:
    """答复调度指令：accepted 接受，done 完成，declined 谢绝。 Answer an order.

    Example: songshan answer o-17 accepted --note 已派记者
    """
    hand_over(box.config, Answer(order=order, answer=said, note=note, by=who(), via="cli", at=when()))


@click.command()
@click.argument("what", metavar="ID|EPOCH:SEQ")
@click.option("--reason", required=True, help="why; it is on record")
@pass_box
def redact(box: Box, what: str, reason: str) -> None:
    """抹除本站说过的一条内容（如含个人信息的线索），链仍可核对。 Remove the words of a record of this site's own.

    ID is that of a tip, a submission or an answered order; EPOCH:SEQ any record of the site's stream. The hub removes
    its copy when it hears of it. Example: songshan redact tip-7f3a9c --reason 含个人信息
    """
    epoch, seq, origin = _meant(box, what)
    command = Redact(epoch=epoch, seq=seq, hash=origin, reason=reason, by=who(), via="cli", at=when())
    hand_over(box.config, command)


def _meant(box: Box, what: str) -> tuple[int, int, str]:
    """Where the record lies, and its `origin`, "" where there is none. Of several of an id the newest."""
    own, numbers = stream_of_site(box.config.site), re.fullmatch(r"([0-9]{1,10}):([0-9]{1,16})", what)
    with reading(box.config.database) as db:
        place = (int(numbers[1]), int(numbers[2])) if numbers else newest_of(db, own, what)
        if place is None:
            raise Refused(Text(f"本站没有说过 {what}", f"this site said nothing of {what}"))
        found = read_from(db, own, (place[0], place[1] - 1), 1)
    return *place, found[0].origin if found and found[0].header.place == place else ""


def when() -> str:
    """Now, as a command says it."""
    return to_text(now_us())


def who() -> str:
    """Whoever called it, also under sudo; a user without a name by number."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())


def hand_over(config: Config, command: Command, attachments: Sequence[Path] = ()) -> None:
    """Put a command into the spool and tell what became of it. Raises Refused when the agent refused it."""
    name = spool.put(config, command, attachments)
    if look(config, now_us()).agent.state != "running":
        say(
            Text(
                f"已收下（{name}）。agent 没有运行，恢复后执行",
                f"kept as {name}. The agent does not run; it is done when it is back",
            )
        )
        return
    outcome = _outcome(config, name)
    if outcome is None:
        say(Text(f"已收下（{name}），等待执行", f"kept as {name}, waiting to be done"))
    elif outcome.outcome == "refused":
        raise Refused(outcome.reason or Text("没有说明原因", "no reason was given"))
    else:
        say(Text("已执行", "done"))


def _outcome(config: Config, name: str) -> desk.Audited | None:
    """What became of a command within ANSWER_WAIT_S; None when nothing did yet."""
    deadline = time.monotonic() + ANSWER_WAIT_S
    while time.monotonic() < deadline:
        try:
            with reading(config.database) as db:
                outcome = desk.audited(db, name)
        except WorldError:
            return None
        if outcome is not None:
            return outcome
        time.sleep(POLL_S)
    return None


def _say_order(order: OrderFact, zone: str) -> None:
    due = clock_of(order.due_us, zone) if order.due_us is not None else "-"
    said = order.answer or Text("待答", "new").in_language(language())
    click.echo(f"{order.id}  {said}  {due}  {order.title}  {order.note or ''}".rstrip())
    if order.body:
        click.echo(f"    {order.body}")
