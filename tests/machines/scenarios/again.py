"""Both playbooks once more: they change nothing, not even the permissions of a file."""

from tests.machines.machine import Machine
from tests.machines.trial import Trial

_LISTED = (
    "find /etc /usr /var -xdev"
    " \\( -path /var/lib/songshan -o -path /var/log -o -path /var/tmp -o -path /var/cache \\) -prune"
    " -o -printf '%m %u %g %y\\t%p\\n'"
)
_LIST_S_MAX = 300


def play(trial: Trial) -> None:
    trial.switch_on()
    before = {machine.name: permissions(machine) for machine in trial.pair.machines}
    for name in ("hub.yml", "box.yml"):
        run = trial.pair.playbook(name, log=f"again-{name}")
        trial.figures[f"{name.partition('.')[0]}_s"] = round(run.seconds)
        trial.figures[f"{name.partition('.')[0]}_changed"] = run.changed
        assert run.changed == 0, f"a second run of {name} changed {run.tasks_changed}"
    for machine in trial.pair.machines:
        after = permissions(machine)
        differ = {path for path, rights in before[machine.name].items() if after.get(path, rights) != rights}
        assert not differ, f"other permissions on {machine.name}: {sorted(differ)[:20]}"


def permissions(machine: Machine) -> dict[str, str]:
    """Path to mode, owner and kind, of what a playbook may touch."""
    listed = machine.shell.run(_LISTED, timeout_s=_LIST_S_MAX).out.splitlines()
    return {path: rights for rights, _tab, path in (line.partition("\t") for line in listed)}
