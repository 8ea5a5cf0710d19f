"""Some attacks of the corpus on the kernels of the machines, all through one launcher: it costs the least."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from containment import confined, rows
from containment import scene as scenes
from containment.outcome import has_effect
from containment.scene import Scene, who
from containment.theatre import UID, USER

# Of each kind some: loaders and copies, /proc, mounts and namespaces, what one job leaves for the next; and
# all that is about control groups.
CORPUS = (
    "WJ001", "WJ002", "WJ003", "WJ004", "WJ006", "WJ007", "WJ008", "WJ009", "WJ010", "WJ011", "WJ012",
    "WJ117", "WJ127", "WJ136", "WJ137", "WJ138", "WJ139", "WJ143", "WJ401", "WJ402", "WJ403", "WJ404",
    "WJ405", "WJ406", "WJ407", "WI401", "WI403", "WI404", "WI405",
)  # fmt: skip
_PATIENCE_SECONDS = 120.0  # an emulated processor is slow
_ATTACKS = Path(rows.__file__).with_name("attacks.jsonl")


def check(groups: Path) -> str:
    """How many rows were played and had no effect; raises AssertionError naming those that had one."""
    for module in (confined, scenes):
        vars(module)["SETUP_SECONDS"] = _PATIENCE_SECONDS
    confined.ROW_SECONDS = _PATIENCE_SECONDS / 2
    wanted = [row for row in rows.read(_ATTACKS) if row.id in CORPUS]
    with _scene() as scene, _in_group(groups / "attacks.service"), confined.launcher(scene) as stage:
        got_through = [row.id for row in wanted if _takes_effect(stage, row)]
    assert not got_through, f"got through: {', '.join(got_through)}"
    return f"effects 0 of {len(wanted)}, as a user of its own, without a policy"


def _takes_effect(stage: confined.Stage, row: rows.Row) -> bool:
    scene = stage.scene
    wrong = scene.prepare(row.setup, row.root_setup)
    assert not wrong, f"{row.id}: {wrong}"
    outcome = confined.attempt_on(stage, row)
    assert outcome.how != "error", f"{row.id}: {outcome.note}"
    return has_effect(row, scene, outcome) or bool(outcome.harmed)


@contextmanager
def _scene() -> Iterator[Scene]:
    """One scene for all rows, with somebody beside it."""
    with Path("/etc/passwd").open("a") as users:
        users.write(f"{USER}:x:{UID}:{UID}::/home:/bin/bash\n")
    template = Path("/srv/template")
    template.mkdir()
    os.chown(template, UID, UID)
    scene = Scene("vm", who("dedicated"))
    scene.open(template)
    scene.add_bystander(scene.out)
    try:
        yield scene
    finally:
        scene.close()


@contextmanager
def _in_group(group: Path) -> Iterator[None]:
    """What is started meanwhile begins in a group that is delegated to it."""
    group.mkdir()
    os.setxattr(group, "user.delegate", b"1")
    (group / "cgroup.procs").write_text("0")
    try:
        yield
    finally:
        (group.parent / "cgroup.procs").write_text("0")
