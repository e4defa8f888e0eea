"""config.json: the settings of a run, and how two sets of nested settings differ."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from mer_jax.errors import UserError
from mer_jax.runfiles import files, reading, writing
from mer_jax.settings.tree import flat

FORMAT = 2  # of the folder of a run; 1 is that of versions that wrote none


@dataclass(frozen=True)
class RunConfig:
    """config.json: what a run was begun with."""

    FILE: ClassVar[str] = files.CONFIG

    settings: dict  # nested, as {'train': {'epochs': 500}}
    data: str  # fingerprint of the data set; '' where there is none

    def write(self, folder: str | Path) -> None:
        """Write config.json into the folder of a run."""
        content = {'format': FORMAT, 'settings': self.settings, 'data': self.data}
        writing.write_json(Path(folder) / self.FILE, content)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """The config of the run in `folder`; UserError where it is of something else, or of a run
        of another format.
        """
        path = Path(folder) / cls.FILE
        content = reading.read_json(path)
        version = content.pop('format', 1)
        numbered = isinstance(version, int) and not isinstance(version, bool)
        run = set(content) == {'settings', 'data'} and isinstance(content['settings'], dict)
        newer = numbered and version > FORMAT
        if not numbered or not (run or newer):
            raise UserError(
                f'{path}: is not that of a run (format, settings, data); restore it, or name '
                'another --workdir'
            )
        if version != FORMAT:
            age = 'a newer' if newer else 'an older'
            raise UserError(
                f'{folder}: is a run of format {version}, of {age} version of this program; this '
                f'version reads format {FORMAT}; train again into another --workdir, or use the '
                'version that wrote it'
            )
        if not isinstance(content['data'], str):
            raise UserError(
                f'{path}: data is {content["data"]!r}; allowed: the fingerprint of a data set; '
                'restore it, or name another --workdir'
            )
        return cls(**content)


def check_format(folder: str | Path) -> None:
    """Refuse the folder of a run of another format; one without config.json passes.

    Raises:
      UserError: names the folder, its format and what to do.
    """
    if (Path(folder) / files.CONFIG).exists():
        RunConfig.read(folder)


def differences(old: dict, new: dict, *, ignore: Iterable[str] = ()) -> list[tuple[str, Any, Any]]:
    """[(dotted key, old, new)] where two nested dictionaries differ, None if missing; `ignore`:
    keys or branches.
    """
    before, after = flat(writing.plain(old)), flat(writing.plain(new))
    keys = [
        key
        for key in dict.fromkeys([*before, *after])
        if not any(f'{key}.'.startswith(f'{branch}.') for branch in ignore)
    ]
    return [
        (key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)
    ]
