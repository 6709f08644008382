"""What a playbook's output is read as."""

from tests.machines.pair import read_run

SAID = """
PLAY [节点 / Box] ****

TASK [Gathering Facts] *********
ok: [dengfeng]

TASK [common : 时区 / Time zone] ***************
changed: [dengfeng]

TASK [box : 单元链接 / Links to the units] *****
ok: [dengfeng] => (item=songshan-agent.service)
changed: [dengfeng] => (item=songshan-web.service)

PLAY RECAP *********************************************************************
dengfeng                   : ok=60   changed=2    unreachable=0    failed=0    skipped=9    rescued=0    ignored=0
songshan                   : ok=1    changed=1    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0
"""


def test_changes_are_counted_over_all_machines_and_named() -> None:
    """A second run that changes something must say what, or nobody finds it."""
    run = read_run(SAID, 3.0)
    assert run.changed == 3
    assert run.tasks_changed == ("common : 时区 / Time zone", "box : 单元链接 / Links to the units")
