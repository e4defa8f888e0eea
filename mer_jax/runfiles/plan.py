"""plan.json: how a run uses the devices and memory."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

from mer_jax.errors import UserError
from mer_jax.runfiles import files, reading, writing

LOWERINGS = ('matmul', 'native', 'shifted')


@dataclass(frozen=True)
class Plan:
    """How a run uses the devices and memory.

    The same plan, machine and versions give the same bits.
    """

    FILE: ClassVar[str] = files.PLAN

    lowering: str  # of LOWERINGS
    at_once: int  # folds that one device trains side by side
    devices: int  # how many are used
    why: str  # the reason for this plan, for the log
    # runs in memory at a time; fixed after the first checkpoint: a checkpoint holds one group. 0 in
    # a candidate that is not yet chosen; a plan.json holds 1 or more.
    group: int = 0

    def to_json(self) -> dict:
        """Return the plan as plan.json and results.json hold it."""
        return asdict(self)

    def write(self, folder: str | Path) -> None:
        """Write plan.json into the folder of a run."""
        writing.write_json(Path(folder) / self.FILE, self.to_json())

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the plan that the run in `folder` started with.

        Raises:
            UserError: the file holds no plan.
        """
        path = Path(folder) / cls.FILE
        return cls.checked(reading.read_json(path), path)

    @classmethod
    def checked(cls, content: dict, path: str | Path = '') -> Self:
        """Return a plan from the content of its file.

        Args:
            content: of the file.
            path: of the file, for the message.

        Raises:
            UserError: it is no plan.
        """
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
