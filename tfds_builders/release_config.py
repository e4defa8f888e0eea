"""The config of a release: one kind of input and its settings, as text and as a value."""

import dataclasses
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import tensorflow_datasets as tfds

from mer_jax import machine
from mer_jax.errors import UserError

SUMMARIES = {
    'flow': 'key frames, flow and strain onset to apex and apex to offset, 128x128',
    'samer': 'magnified apex and flow magnitudes onset and offset to target, 224x224',
    'video': 'all frames of the face crop, 128x128 grey',
    'spotting': 'flow from the onset to every frame, 75x75 float16',
}
# stand for every number from 0 to a limit among the allowed values
NUMBERS = {'a number': math.inf, 'a number up to 100': 100.0}


@dataclasses.dataclass(eq=False, kw_only=True)
class Config(tfds.core.BuilderConfig):
    """One kind of input with its settings.

    Its name holds the settings that are not the defaults ('flow,edition=2014'), so that other
    settings are built beside, never over.
    """

    kind: str
    options: dict[str, str] = dataclasses.field(default_factory=dict)


class Configs(dict):
    """The listed configs of a release by name; `in` is also true of one with settings.

    TFDS asks this of a name before it makes a builder. Where the answer is no, it opens built files
    without our code, and then tfds.load cannot read array_record files.
    """

    def __init__(self, configs: Iterable[Config], parse: Callable[[str], Config]):
        super().__init__({config.name: config for config in configs})
        self._parse = parse

    def __contains__(self, name: object) -> bool:
        if super().__contains__(name):
            return True
        try:
            self._parse(name)
        except (UserError, AttributeError):  # of another text, of anything but a text
            return False
        return True


def parse(
    text: str,
    dataset: str,
    options_of: Callable[[str], Mapping[str, Sequence[str]]],
    user_files: Mapping[str, str],
    summaries: Mapping[str, str],
) -> Config:
    """The Config of 'kind,setting=value,...' and of the user's files.

    Args:
      text: the config as users write it.
      dataset: name of the release, for messages.
      options_of: {setting: allowed values, the default first} of a kind.
      user_files: paths by what they hold ('landmarks', 'detector', 'magnet'); '' where there is
        none.
      summaries: {kind: what it holds} of the release.

    Raises:
      UserError: names the kind, setting or value that does not exist.
    """
    kind, *assignments = text.split(',')
    title = f'{dataset}/{text}'
    if kind not in summaries:
        raise UserError(
            f'unknown config {kind!r} of data set {dataset}; known: {", ".join(summaries)}'
        )
    allowed = options_of(kind)
    options = _options(title, kind, assignments, allowed)
    changed = {name: value for name, value in sorted(options.items()) if value != allowed[name][0]}
    files = {name: Path(path).stem for name, path in user_files.items() if path}
    settings = [f'{name}={value}' for name, value in {**changed, **files}.items()]
    name = ','.join([kind, *settings])
    _refuse_long(name, dataset, files)
    return Config(name=name, description=summaries[kind], kind=kind, options=changed)


def refuse_weights_mismatch(config: Config, dataset: str, weights: str) -> None:
    """UserError unless the learned magnifier and its weights are given together."""
    if (config.options.get('magnifier') == 'magnet') != bool(weights):
        raise UserError(
            f'{dataset}/{config.name}: magnifier=magnet and its weights go together: '
            '--config.data.magnet=FILE.safetensors'
        )


def _refuse_long(name, dataset, files):
    """UserError where no disk takes the folder of a build, which is called as its config."""
    size = len(os.fsencode(name))
    if size > machine.LONGEST_NAME:
        file = max(files, key=lambda key: len(files[key]), default='name')
        raise UserError(
            f'data.{file}: the folder of this build of {dataset} would be called by a name of '
            f'{size} bytes; allowed: {machine.LONGEST_NAME}; give the file a shorter name'
        )


def _options(title, kind, assignments, allowed):
    """{setting: value} of ['setting=value', ...]."""
    options = {}
    for assignment in assignments:
        name, _, value = assignment.partition('=')
        if name not in allowed or name in options:
            raise UserError(
                f'{title}: {name!r} is no setting of {kind}, or stands twice; '
                f'known: {", ".join(allowed)}'
            )
        options[name] = _checked_value(title, name, value, allowed[name])
    return options


def _checked_value(title, name, value, allowed):
    """The value of one setting, numbers in their shortest form."""
    limit = NUMBERS.get(allowed[-1])
    if limit and 0 <= _number(value) <= limit and math.isfinite(_number(value)):
        return f'{_number(value):g}'
    if limit or value not in allowed:
        raise UserError(f'{title}: {name} is {value!r}; allowed: {", ".join(allowed)}')
    return value


def _number(text):
    try:
        return float(text)
    except ValueError:
        return -1.0
