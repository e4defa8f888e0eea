"""Micro-expression recognition: every fold of an experiment in one compiled program.

  python main.py [VERB] [--config=configs/NAME.py[:VARIANT,...]] [--config.KEY=VALUE ...]
                 [--workdir=FOLDER] [--debug]

VERB is one of
  train      (default) train, or continue a killed run; score, write the report; a finished run is
             only scored again
  evaluate   score and report a finished run again from its checkpoint
  explain    draw what a finished run looks at in clips it did not see (of networks with a head a
             region)
  report     write report.html again from the files of a run
  build      build the data set of the config
  audit      train the config honestly and under each leaky habit of the literature; one table of
             what each adds
  grid       train each combination of --grid='KEY=V1,V2;KEY=V1,V2', choose by the validation part,
             test the choice
  compare    --runs=FOLDER,FOLDER,...: finished runs in one table with intervals and paired tests,
             as CSV and LaTeX too

Without flags the default experiment on synthetic faces runs. Settings and their reasons:
mer_jax/settings/sections.py. The default folder of a run is runs/NAME[-VARIANT]. --debug shows
tracebacks.
"""

import difflib
import os
import re
import sys
from importlib import machinery, util
from pathlib import Path

from absl import flags
from ml_collections import ConfigDict, config_flags

from mer_jax import entries, quiet  # noqa: F401, quiet before jax
from mer_jax.errors import UserError
from mer_jax.presets import base
from mer_jax.runfiles.naming import default_folder as default
from mer_jax.settings.renamed import RENAMED
from mer_jax.settings.tree import flat

HERE = Path(__file__).parents[1]
DEFAULT = HERE / 'configs' / 'synthetic_dualbranch.py'
VERBS = {  # verb -> the function that runs it, loaded once the settings are known to be right
    'train': 'mer_jax.experiment.run:train',
    'evaluate': 'mer_jax.experiment.run:evaluate',
    'explain': 'mer_jax.explain.draw:explain',
    'report': 'mer_jax.experiment.run:report',
    'build': 'mer_jax.experiment.run:build_data',
    'audit': 'mer_jax.studies.verbs:audit',
    'grid': 'mer_jax.studies.verbs:grid',
    'compare': 'mer_jax.studies.compare:compare',
}
OWN = {'compare': 'runs', 'grid': 'grid'}  # verb -> the flag that it alone takes, and needs
APART = ('audit', 'grid', 'compare')  # verbs that write a folder of their own beside that of a run
KINDS = {bool: 'True or False', int: 'a whole number', float: 'a number', tuple: 'numbers'}
CONFIG_FLAG = re.compile(r'--?config(=|$)')


def main(argv) -> int:
    """Run one verb; 0, or 2 after one line that says what is wrong and what would be right."""
    if {'--help', '-h', 'help'} & set(argv):
        print(__doc__)
        return 0
    debug = '--debug' in argv
    try:
        run(*parse([a for a in argv if a != '--debug']))
        print(end='', flush=True)
    except KeyboardInterrupt:
        return _told('stopped; the same command continues from the last checkpoint', 130)
    # `| head` has read enough; what is still buffered must not fail at exit
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return _told(
            'error: standard output was closed; the same command continues from the last '
            'checkpoint',
            2,
        )
    except (UserError, OSError) as error:
        if debug:
            raise
        return _told(f'error: {error}', 2)
    return 0


def _told(text, code):
    print(' '.join(text.split()), file=sys.stderr)
    return code


def run(verb, config, workdir, *given):
    """Run one verb. Its module, and jax with it, is imported once the settings are right."""
    if verb != 'compare':
        from mer_jax.experiment import settings

        settings.checked(config)
    return entries.loaded(VERBS[verb])(config, workdir, *given)


def parse(argv):
    """(verb, config, workdir, and of a verb of OWN its flag) of a command line without the
    program's name.
    """
    asked, rest = _asked(argv)
    config = _load(asked)
    _check_keys(rest, list(flat(config.to_dict())))
    values = flags.FlagValues()
    for name in ('workdir', *OWN.values()):
        flags.DEFINE_string(name, '', '', flag_values=values)
    try:
        config_flags.DEFINE_config_dict('config', config, flag_values=values, sys_argv=rest)
        verb, *extra = values(['main.py', *rest])[1:] or ['train']
    except flags.Error as error:
        raise UserError(_flag_mistake(str(error), config)) from None
    if verb not in VERBS or extra:
        raise UserError(
            f'{" ".join([verb, *extra])!r} is not a verb; known: {", ".join(VERBS)} (one, or '
            'none for train)'
        )
    for owner, name in OWN.items():
        if bool(values[name].value) != (verb == owner):
            raise UserError(
                f'--{name} belongs to the verb {owner}, and {owner} needs it; see python main.py '
                '--help'
            )
    path, _, variant = asked.partition(':')
    folder = (
        'runs/compare'
        if verb == 'compare'
        else default(path, variant) + f'-{verb}' * (verb in APART)
    )
    return (
        verb,
        values.config,
        values.workdir or folder,
        *([values[OWN[verb]].value] if verb in OWN else []),
    )


def _asked(argv):
    """(the value of --config, the other arguments)."""
    places = [i for i, a in enumerate(argv) if CONFIG_FLAG.match(a)]
    if len(places) > 1:
        raise UserError(
            f'--config is given {len(places)} times; one config file, --config.KEY=VALUE for '
            'what differs'
        )
    if not places:
        return str(DEFAULT), argv
    place = places[0]
    if '=' in argv[place]:
        return argv[place].partition('=')[2], argv[:place] + argv[place + 1 :]
    return ''.join(argv[place + 1 : place + 2]), argv[:place] + argv[place + 2 :]


def _load(asked) -> ConfigDict:
    """The config that 'file.py[:variant]' makes; UserError where the file is missing, fails, or is
    no config file.
    """
    name, colon, variant = asked.partition(':')
    path = Path(name)
    if not path.is_file():
        raise UserError(_no_such_file(name))
    try:
        loader = machinery.SourceFileLoader('config_file', str(path))
        module = util.module_from_spec(util.spec_from_loader('config_file', loader))
        loader.exec_module(module)
        make = getattr(module, 'get_config', None)
        config = make(variant) if colon and make else make() if make else None
    except UserError:
        raise
    except Exception as error:  # whatever a file that the user wrote can raise
        text = f'{path} fails: {type(error).__name__}: {error}'
        raise UserError('; '.join([text, *_renamed(str(error))])) from error
    if not isinstance(config, ConfigDict):
        raise UserError(
            f'{path} is not a config file: it has no get_config(variant) that returns base() '
            'with changes'
        )
    known, got = set(flat(base('').to_dict())), set(flat(config.to_dict()))
    if known != got:
        wrong = [f'lacks {key}' for key in sorted(known - got)] + [
            f'has {key}, which is now {RENAMED[key]}' if key in RENAMED else f'has an unknown {key}'
            for key in sorted(got - known)
        ]
        raise UserError(f'{path} {wrong[0]}; begin with base() of mer_jax.presets')
    return config


def _renamed(text):
    """The new names of a setting that ml_collections does not know, by its last word."""
    match = re.search(r'Key "(\w+)" does not exist', text)
    keys = [key for key in RENAMED if match and key.rpartition('.')[2] == match[1]]
    return [f'{key} is now {RENAMED[key]}' for key in keys]


def _no_such_file(name):
    known = sorted(p.stem for p in (HERE / 'configs').glob('[a-z]*_*.py'))
    near = difflib.get_close_matches(Path(name).stem, known, n=1)
    return (
        f'--config={name or chr(39) * 2}: no such '
        f'file{f"; did you mean configs/{near[0]}.py?" if near else ""}; '
        f'known: {", ".join(f"configs/{k}.py" for k in known)}'
    )


def _check_keys(argv, known):
    """Every --config.KEY must be one setting."""
    for argument in argv:
        found = re.match(r'--?(?:no)?config\.([^=]*)', argument)
        if not found or found[1] in known:
            continue
        if found[1] in RENAMED:
            raise UserError(f'--config.{found[1]}: {found[1]} is now {RENAMED[found[1]]}')
        leaf = [
            key for key in known if key.endswith(f'.{found[1]}') or key.startswith(f'{found[1]}.')
        ]
        near = leaf[:1] or difflib.get_close_matches(found[1], known, n=1)
        raise UserError(
            f'--config.{found[1]}: no such '
            f'setting{f", did you mean --config.{near[0]}?" if near else ""}; '
            'mer_jax/settings/sections.py lists all'
        )


def _flag_mistake(text, config):
    """What absl says of a flag; of a value of the wrong type, which one is right."""
    found = re.match(r'flag --config\.([\w.]+)=(.*?): ', text, re.DOTALL)
    if not found:
        return f'{text}; see python main.py --help'
    value = flat(config.to_dict())[found[1]]
    return f'--config.{found[1]} is {found[2]!r}; allowed: {KINDS[type(value)]}, as {value}'
