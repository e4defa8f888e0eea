"""plan.json: how a run is laid out on its machine."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

from mer_jax.errors import UserError
from mer_jax.runfiles import files, reading, writing

LOWERINGS = ('matmul', 'native')


@dataclass(frozen=True)
class Plan:
    """One layout; runs with the same plan, machine and versions give the same bits."""

    FILE: ClassVar[str] = files.PLAN

    lowering: str  # of LOWERINGS
    at_once: int  # folds a device trains side by side
    devices: int  # devices used
    why: str
    # runs in memory at a time; fixed with the first step, because checkpoints are written by group
    group: int = 0

    def to_json(self) -> dict:
        """The plan as it stands in plan.json and in results.json."""
        return asdict(self)

    def write(self, folder: str | Path) -> None:
        """Write plan.json into the folder of a run."""
        writing.write_json(Path(folder) / self.FILE, self.to_json())

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """The plan that the run in `folder` began with; UserError where the file holds none."""
        path = Path(folder) / cls.FILE
        content = reading.read_json(path)
        kinds = {'lowering': str, 'at_once': int, 'devices': int, 'why': str, 'group': int}
        typed = set(content) == set(kinds) and all(
            type(content[key]) is kind for key, kind in kinds.items()
        )
        counts = ('at_once', 'devices', 'group')
        if (
            not typed
            or content['lowering'] not in LOWERINGS
            or min(content[key] for key in counts) < 1
        ):
            raise UserError(
                f'{path} holds no plan: lowering ({" or ".join(LOWERINGS)}), at_once, devices and '
                'group (whole numbers from 1), why (text); restore it or give another --workdir'
            )
        return cls(**content)
