"""Micro-expression recognition: every fold of an experiment in one compiled program.

  python main.py [VERB] [--config=configs/NAME.py[:VARIANT,...]] [--config.KEY=VALUE ...] [--workdir=FOLDER] [--debug]

VERB is one of
  train      (default) train, or continue a killed run; score, write the report; a finished run is only scored again
  evaluate   score and report a finished run again from its checkpoint
  report     write report.html again from the files of a run
  build      build the data set of the config

Without flags the default experiment on synthetic faces runs. Settings and their reasons: configs/common.py.
--config.KEY=VALUE must follow --config. The default folder of a run is runs/NAME[-VARIANT]. --debug shows tracebacks.
"""

import difflib
import re
import sys
from pathlib import Path

from absl import flags
from ml_collections import config_flags

from mer_jax.errors import UserError

HERE = Path(__file__).parent
DEFAULT = HERE / 'configs' / 'synthetic_ststnet.py'
VERBS = ('train', 'evaluate', 'report', 'build')


def main(argv) -> int:
    """Run one verb; 0, or 2 after one line that says what is wrong and what would be right."""
    if {'--help', '-h', 'help'} & set(argv):
        print(__doc__)
        return 0
    debug = '--debug' in argv
    try:
        verb, config, workdir = parse([a for a in argv if a != '--debug'])
        run(verb, config, workdir)
    except UserError as error:
        if debug:
            raise
        print(f'error: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('stopped; the same command continues from the last checkpoint', file=sys.stderr)
        return 130
    return 0


def run(verb, config, workdir):
    """Only here is jax imported: a mistake in the flags answers at once."""
    from mer_jax import experiment, parallel, plan

    parallel.start(plan.cache_folder() / 'xla')
    return getattr(experiment, verb)(config, workdir)


def parse(argv):
    """(verb, config, workdir) of a command line without the program's name."""
    if not any(re.match(r'--?config(=|$)', a) for a in argv):
        argv = [f'--config={DEFAULT}', *argv]
    values = flags.FlagValues()
    flags.DEFINE_string('workdir', '', 'folder of the run', flag_values=values)
    config_flags.DEFINE_config_file('config', flag_values=values, sys_argv=argv, help_string='experiment')
    rest = _parsed(values, argv)
    verb, *extra = rest or ['train']
    if verb not in VERBS or extra:
        raise UserError(f'{" ".join(rest)!r} is not a verb; known: {", ".join(VERBS)} (one, or none for train)')
    from mer_jax import workdir as files

    path, _, variant = config_flags.get_config_filename(values['config']).partition(':')
    return verb, values.config, values.workdir or files.default(path, variant)


def _parsed(values, argv):
    """Positional arguments after parsing; what absl and ml_collections tell in pages becomes one line."""
    path = _config_path(argv)
    try:
        rest = values(['main.py', *argv])[1:]
        values['config'].value.lock()  # a file that fails to load says so only when it is asked for
        return rest
    except UserError:
        raise
    except flags.Error as error:
        raise UserError(f'{error}; see python main.py --help') from None
    except (AttributeError, KeyError) as error:
        raise UserError(_unknown_key(error, argv, path)) from None
    except Exception as error:
        raise UserError(f'{path}: {" ".join(str(error).split())}') from error


def _config_path(argv):
    """The config file asked for; UserError where it is not there."""
    place = next(i for i, a in enumerate(argv) if re.match(r'--?config(=|$)', a))
    asked = argv[place].partition('=')[2] or ' '.join(argv[place + 1:place + 2])
    path = Path(asked.partition(':')[0])
    if path.is_file():
        return path
    known = sorted(p.stem for p in (HERE / 'configs').glob('[a-z]*_*.py'))
    near = difflib.get_close_matches(path.stem, known, n=1)
    raise UserError(f'--config={path}: no such file{f"; did you mean configs/{near[0]}.py?" if near else ""}; '
                    f'known: {", ".join(f"configs/{k}.py" for k in known)}')


def _unknown_key(error, argv, path):
    text = str(error).replace('\\n', ' ')
    if 'get_config' in text:
        return f'{path} is not a config file: it has no get_config(variant)'
    name = re.search(r'\w+', text).group()
    key = next((a.split('=')[0] for a in argv if re.match(rf'--(no)?config\..*\b{name}\b', a)), name)
    near = re.search(r'mean "(\w+)"', text)
    return f'{key}: no such setting{f", did you mean {near.group(1)!r}?" if near else ""}; configs/common.py lists all'


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
