"""plan.json: how a run is laid out on its machine."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

from mer_jax.errors import UserError
from mer_jax.runfiles import files, reading, writing

LOWERINGS = ('matmul', 'native')


@dataclass(frozen=True)
class Plan:
    """How a run is laid out; the same plan, machine and versions give the same bits."""

    FILE: ClassVar[str] = files.PLAN

    lowering: str  # of LOWERINGS
    at_once: int  # folds a device trains side by side
    devices: int  # devices used
    why: str
    # runs in memory at a time; fixed with the first step, because checkpoints are written by group
    group: int = 0

    def to_json(self) -> dict:
        """Return the plan as it stands in plan.json and in results.json."""
        return asdict(self)

    def write(self, folder: str | Path) -> None:
        """Write plan.json into the folder of a run."""
        writing.write_json(Path(folder) / self.FILE, self.to_json())

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the plan that the run in `folder` began with.

        Raises:
            UserError: the file holds no plan.
        """
        path = Path(folder) / cls.FILE
        content = reading.read_json(path)
        if not cls._is_plan(content):
            raise UserError(
                f'{path} holds no plan: lowering ({" or ".join(LOWERINGS)}), at_once, devices and '
                'group (whole numbers from 1), why (text); restore it or give another --workdir'
            )
        return cls(**content)

    @staticmethod
    def _is_plan(content):
        kinds = {'lowering': str, 'at_once': int, 'devices': int, 'why': str, 'group': int}
        if {key: type(value) for key, value in content.items()} != kinds:
            return False
        counts = [content[key] for key in ('at_once', 'devices', 'group')]
        return content['lowering'] in LOWERINGS and min(counts) >= 1
