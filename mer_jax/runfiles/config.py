"""config.json: the settings of a run, and how settings differ."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from mer_jax.errors import UserError
from mer_jax.runfiles import files, reading, writing
from mer_jax.settings.fields import Value
from mer_jax.settings.tree import flat

FORMAT = 2  # of the folder of a run; a config.json without a number counts as format 1


@dataclass(frozen=True)
class RunConfig:
    """config.json: what a run was started with."""

    FILE: ClassVar[str] = files.CONFIG

    settings: dict  # nested, as {'train': {'epochs': 500}}
    data: str  # fingerprint of the data set; '' where there is none

    def write(self, folder: str | Path) -> None:
        """Write config.json into the folder of a run."""
        content = {'format': FORMAT, 'settings': self.settings, 'data': self.data}
        writing.write_json(Path(folder) / self.FILE, content)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the config of the run in `folder`.

        Raises:
            UserError: the file is not that of a run, or the run has another format.
        """
        path = Path(folder) / cls.FILE
        content = reading.read_json(path)
        version = content.pop('format', 1)
        numbered = isinstance(version, int) and not isinstance(version, bool)
        newer = numbered and version > FORMAT
        is_run = set(content) == {'settings', 'data'} and isinstance(content['settings'], dict)
        if not numbered or not (is_run or newer):
            raise UserError(
                f'{path}: is not the config of a run (format, settings, data); restore it, or give '
                'another --workdir'
            )
        if version != FORMAT:
            age = 'a newer' if newer else 'an older'
            raise UserError(
                f'{folder}: was written by {age} version of this program (format {version}); this '
                f'version reads format {FORMAT}; train again into another --workdir, or use the '
                'version that wrote it'
            )
        if not isinstance(content['data'], str):
            raise UserError(
                f'{path}: data is {content["data"]!r}; allowed: the fingerprint of a data set; '
                'restore it, or give another --workdir'
            )
        return cls(**content)


def check_format(folder: str | Path) -> None:
    """Refuse the folder of a run of another format.

    A folder without config.json passes.

    Raises:
        UserError: names the folder, its format and what to do.
    """
    if (Path(folder) / files.CONFIG).exists():
        RunConfig.read(folder)


def by_key(settings: Mapping[str, Any]) -> dict[str, Value]:
    """Return the settings of a run by dotted key.

    Options of networks that the run does not train are left out.

    Args:
        settings: nested, those of config.json.
    """
    model = settings.get('model', {})
    others = [key for key, value in model.items() if isinstance(value, Mapping)]
    others = {f'model.{key}' for key in others if key != model.get('name')}
    kept = {}
    for key, value in flat(settings).items():
        if key.rpartition('.')[0] not in others:
            kept[key] = value
    return kept


def differences(
    old: dict, new: dict, *, ignore: Iterable[str] = ()
) -> list[tuple[str, Value | None, Value | None]]:
    """Return where two nested dictionaries differ.

    Args:
        old: nested settings.
        new: nested settings.
        ignore: dotted keys, or sections, that may differ.

    Returns:
        (dotted key, old value, new value) of each difference; a missing value is None.
    """
    before, after = flat(writing.plain(old)), flat(writing.plain(new))
    ignored = tuple(f'{key}.' for key in ignore)
    changed = []
    for key in dict.fromkeys([*before, *after]):
        was, now = before.get(key), after.get(key)
        if was != now and not f'{key}.'.startswith(ignored):
            changed.append((key, was, now))
    return changed
