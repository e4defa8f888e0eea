"""The command line: verbs and flags.

`python main.py`, `python -m mer_jax` and `mer-jax` are the same program.
"""

import contextlib
import difflib
import os
import re
import shlex
import sys
import traceback
from collections.abc import Sequence
from typing import NamedTuple

from absl import flags
from ml_collections import ConfigDict, config_flags

from mer_jax import config_files, entries, quiet, supervisor, usage
from mer_jax.errors import UserError
from mer_jax.runfiles.naming import default_folder, identity_changes, title
from mer_jax.settings.renamed import RENAMED
from mer_jax.settings.sections import Data
from mer_jax.settings.tree import flat


class Verb(NamedTuple):
    """A verb, with all facts about it.

    Its function takes, in this order: the config, if it reads one; the folder, if it has one; the
    values of its flags; its arguments; the list of its further arguments, if it takes some; for
    each of its switches, whether it is given.
    """

    function: str  # 'module:function', loaded after the settings are checked
    help: str  # one line
    reads_config: bool = True
    # reads those that its flag --configs names; --config.KEY=VALUE holds for each of them. The
    # value of that flag is then {title: config}.
    reads_configs: bool = False
    # the folder without --workdir; {run} is runs/CONFIG[-VARIANTS]; '' for a verb without folder
    folder: str = '{run}'
    flags: dict[str, str] = {}  # {flag that only some verbs have, and need: form of its value}
    defaults: dict[str, str] = {}  # {one of these flags that may be left out: its value then}
    switches: dict[str, str] = {}  # {flag without a value that only this verb has: what it adds}
    on_hosts: bool = False  # whether several hosts can share its work
    arguments: tuple[str, ...] = ()  # that it needs, without flags
    further: str = ''  # form of an argument that may be given any number of times
    config_argument: bool = False  # whether its first argument is the name of a config
    needs_config: bool = True  # False: the config is None where no flag names it or its settings
    needs_folder: bool = True  # False: the folder is '' without --workdir
    # {short flag: the setting that it changes}
    short: dict[str, str] = {}


VERBS = {
    'train': Verb(
        'mer_jax.experiment.run:train',
        '(the default) train, or continue a run that was stopped; then score it and write the '
        'report; a finished run is only scored again',
        on_hosts=True,
    ),
    'evaluate': Verb(
        'mer_jax.prediction.score_pack:evaluate',
        'score and report a finished run again from its checkpoint; or score a pack on the data '
        'set of the config, each clip by the members that did not train on its subject',
        flags={'model': 'PACK'},
        defaults={'model': ''},
    ),
    'explain': Verb(
        'mer_jax.explain.draw:explain',
        'draw what the networks of a finished run look at in held-out clips (only networks with a '
        'head for each face region), or measure what each kind of features is worth to its SVMs',
    ),
    'report': Verb(
        'mer_jax.experiment.run:report', 'write report.html again from the files of a run'
    ),
    'build': Verb(
        'mer_jax.experiment.run:build_data', 'build the data set of the config', folder=''
    ),
    'describe': Verb(
        'mer_jax.studies.verbs:describe',
        'what the data sets of the config hold: classes, subjects, durations, action units, '
        'motion, repairs; one page',
        folder='{run}-describe',
    ),
    'audit': Verb(
        'mer_jax.studies.verbs:audit',
        'train a config without leaks and with each leak of the literature; one table of what '
        'each adds',
        folder='{run}-audit',
    ),
    'grid': Verb(
        'mer_jax.studies.verbs:grid',
        'train all combinations of values, choose the best on validation rows, and test it',
        folder='{run}-grid',
        flags={'grid': "'KEY=V1,V2;KEY=V1,V2'"},
    ),
    'compare': Verb(
        'mer_jax.studies.compare:compare',
        'compare finished runs, tables of other software and archives of reproduce in one table, '
        'with intervals and paired tests; also as CSV and LaTeX',
        reads_config=False,
        folder='runs/compare',
        flags={'runs': 'FOLDER,FOLDER,...', 'classes': 'CLASS,CLASS,...'},
        defaults={'runs': '', 'classes': ''},
        further='RUN',
        switches={'published': 'figures of publications about the same data sets'},
    ),
    'score': Verb(
        'mer_jax.studies.score_table:score',
        'score a table of predictions from any software, a row for each tested clip; its clips and '
        'labels are compared with those of a data set where one is named',
        flags={'classes': 'CLASS,CLASS,...'},
        defaults={'classes': ''},
        arguments=('FILE.csv',),
        needs_config=False,
        needs_folder=False,
        short={'data': 'data.name', 'labels': 'data.labels', 'manual_dir': 'data.manual_dir'},
    ),
    'spot': Verb(
        'mer_jax.prediction.spot:spot',
        'search long recordings for micro-expressions, or take a table of intervals that other '
        'software spotted, and score them as the MEGC challenges do: IoU .5, precision, recall and '
        'F1 over all recordings',
        folder='runs/spot',
        further='FILE.csv',
        short={'data': 'data.name', 'manual_dir': 'data.manual_dir'},
    ),
    'leaderboard': Verb(
        'mer_jax.studies.verbs:leaderboard',
        'train several configs on the same clips, one row each: scores, ranks, tests against the '
        'first config, size, cost, and what the authors report',
        reads_config=False,
        reads_configs=True,
        folder='runs/leaderboard',
        flags={'configs': 'NAME,NAME,...', 'seeds': 'COUNT', 'max_hours': 'HOURS'},
        defaults={'seeds': '5', 'max_hours': '6'},
        switches={
            'equal_budget': 'the choice of learning rate and epochs, from the same points for '
            'every network, by the training subjects of each fold'
        },
    ),
    'reproduce': Verb(
        'mer_jax.studies.verbs:reproduce',
        'build, train and audit a config on your copy of the data, and write one archive for '
        'others: results, predictions, settings, digests; no faces, frames, features or weights',
        folder='{run}-reproduce',
        switches={'without_audit': 'no leak audit, which takes most of the time'},
        config_argument=True,
        short={'manual_dir': 'data.manual_dir'},
    ),
    'predict': Verb(
        'mer_jax.prediction.predict:run',
        'what a finished run, or a pack, says of new recordings: movement of the face, then the '
        'class of the training data, or action units; videos, folders of frames, cameras, feature '
        'pictures',
        reads_config=False,
        folder='runs/predict',
        flags={
            'model': 'RUN_OR_PACK',
            'onset': 'FRAME',
            'apex': 'FRAME',
            'offset': 'FRAME',
            'fold': 'SUBJECT',
            'fps': 'FRAMES_A_SECOND',
            'spotter': 'RUN',
            'detector': 'FILE',
        },
        defaults=dict.fromkeys(
            ('onset', 'apex', 'offset', 'fold', 'fps', 'spotter', 'detector'), ''
        ),
        arguments=('INPUT',),
        further='INPUT',
        switches={'cropped': 'the frames show the face alone, as the crops of a release do'},
    ),
    'pack': Verb(
        'mer_jax.prediction.pack:pack',
        'write a finished run as one .safetensors FILE for others: weights of every fold and all '
        'that is needed to predict, but no row of its data set',
        reads_config=False,
        flags={'calibrated_by': 'RUN'},
        defaults={'calibrated_by': ''},
        further='FILE',
        switches={'distil': 'small networks in place of SVMs that are made of rows'},
        needs_folder=False,
    ),
    'export': Verb(
        'mer_jax.prediction.export:export',
        'write the networks of a finished run or a pack as one ONNX FILE, compare it with jax, and '
        'print what it costs',
        reads_config=False,
        folder='',
        flags={'model': 'RUN_OR_PACK', 'format': 'onnx', 'fold': 'SUBJECT', 'batch': 'ROWS'},
        defaults={'format': 'onnx', 'fold': '', 'batch': ''},
        further='FILE',
    ),
    'draw': Verb(
        'mer_jax.data.drawn:run',
        'write drawn faces into FOLDER: folders of frames, a CSV of them and a video; to try the '
        'program without recordings',
        reads_config=False,
        folder='',
        arguments=('FOLDER',),
    ),
    'diff': Verb(
        'mer_jax.studies.diff:diff',
        'print how settings, data and versions of two runs differ',
        reads_config=False,
        folder='',
        arguments=('RUN', 'RUN'),
    ),
}


def _owners(flags_of):
    """{flag: the verbs that have it}."""
    owners = {}
    for name, verb in VERBS.items():
        for flag in flags_of(verb):
            owners.setdefault(flag, []).append(name)
    return owners


VALUED = _owners(lambda verb: verb.flags)
SWITCHES = _owners(lambda verb: verb.switches)
SHORT = _owners(lambda verb: verb.short)
ON_HOSTS = [name for name, verb in VERBS.items() if verb.on_hosts]
DISTRIBUTED = 'distributed'
HOST_FLAGS = {'coordinator': 'HOST:PORT', 'hosts': 'COUNT', 'host': 'INDEX'}
MOST_HOSTS = 4096
COMMON = ('workdir', DISTRIBUTED, *HOST_FLAGS)  # flags that are of no single verb
JOIN_AND_LEAVE = ('join_hosts', 'leave_hosts')
KINDS = {bool: 'True or False', int: 'a whole number', float: 'a number', tuple: 'numbers'}
HELP = {'--help', '-h', 'help'}
PRINTING = {*HELP, '--version', '--print_config'}  # print, and run nothing
CONFIG_FLAG = re.compile(r'--?config(=|$)')
ANY_CONFIG_FLAG = re.compile(r'--?(no)?config(\.|=|$)')


class Command(NamedTuple):
    """A parsed command line."""

    verb: str
    config: ConfigDict | None  # its name is the title of the run; None where the verb needs none
    folder: str  # '' for a verb without folder
    # the values of the verb's flags, then its arguments, then its switches
    extra: tuple[str | bool | list[str] | dict[str, ConfigDict], ...]
    # (coordinator, hosts, host) of several hosts, ('', 0, 0) where the cluster knows them; None
    # where there is one
    hosts: tuple[str, int, int] | None = None


class _Parsed(NamedTuple):
    file: config_files.ConfigFile  # with the flags of the command line
    positional: list[str]
    flags: dict[str, str | bool]  # --workdir, those of single verbs and those of hosts
    folder: str  # of a run of this config
    name: str  # of the config; config.name is the title of the run


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        argv: without the name of the program; None: of this process.

    Returns:
        0; 2 after a mistake, which is printed in one line; 130 after an interruption.
    """
    try:
        code = _answered(argv)
    except Exception:  # a fault of this program
        if not supervisor.is_child():
            raise
        traceback.print_exc()
        code = 1
    if supervisor.is_child():
        supervisor.end(code)
    return code


def _answered(argv):
    """Do what `main` does."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = '--debug' in arguments
    _open_streams()
    try:
        _refuse_bytes(arguments)
        with contextlib.nullcontext() if debug else quiet.libraries():
            _start([argument for argument in arguments if argument != '--debug'])
        print(end='', flush=True)
    except KeyboardInterrupt:
        return _failed('stopped; the same command continues from the last checkpoint', 130)
    # `| head` has read enough; the rest of the buffer must not fail at exit
    except BrokenPipeError:
        with contextlib.suppress(OSError):  # one of a notebook may have no number
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if PRINTING & {*arguments}:
            return 0
        return _failed(
            'error: standard output was closed; the same command continues from the last '
            'checkpoint',
            2,
        )
    except (UserError, OSError) as error:
        if debug:
            raise
        return _failed(f'error: {error}', 2)
    except MemoryError as error:
        if debug:
            raise
        return _failed(f'error: this machine has not enough memory for that ({error})', 2)
    return 0


def _open_streams():
    """Make standard output and error usable, whatever the shell made of them.

    A stream that is closed would make its number that of the next file opened, which messages of
    libraries then damage; a stream that takes ASCII only would lose the report of a whole training.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the least number that is free
    for name in ('stdout', 'stderr'):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, 'w', encoding='utf-8'))  # noqa: SIM115, for good
        elif hasattr(stream, 'reconfigure'):
            stream.reconfigure(errors='backslashreplace')


def _refuse_bytes(arguments):
    """Refuse arguments that hold bytes which are no text: no file of a run could hold them."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            shown = argument.encode('utf-8', 'backslashreplace').decode()
            raise UserError(f'{shown}: holds bytes that are no UTF-8 text') from None


def _failed(message, code):
    print(f'{supervisor.prefix()}{" ".join(message.split())}', file=sys.stderr)
    return code


def _start(arguments):
    """Print help, version or settings, or run a verb."""
    shows_help = bool(HELP & {*arguments})
    rest = [argument for argument in arguments if argument not in {*HELP, '--print_config'}]
    if '--version' in arguments:
        print(usage.version())
    elif shows_help and not any(CONFIG_FLAG.match(argument) for argument in rest):
        verb = next((argument for argument in rest if argument in VERBS), '')
        if verb:
            print(usage.of_verb(verb, VERBS[verb]))
            return
        files = config_files.listed()
        print(usage.overview(VERBS, {name: config_files.summary(files[name]) for name in files}))
    elif shows_help:
        print(_config_help(_expanded(rest)))
    elif '--print_config' in arguments:
        print(_command_line(_expanded(rest)))
    else:
        run(parse(rest))


def _config_help(arguments):
    from mer_jax.classical import FEATURES, FITTED, NETWORK
    from mer_jax.experiment import settings

    name = _config_argument(arguments)[0].partition(':')[0]
    names = {**settings.NAMES, 'FEATURES': (NETWORK, *FEATURES, *FITTED)}
    return usage.of_config(name, _parsed(arguments).file, settings.SETTINGS, names)


def _command_line(arguments):
    """Every setting as a flag, one per line."""
    parsed = _parsed(arguments)
    # Not the title: it contains the variants, which the next command would add again.
    values = flat(parsed.file.config.to_dict()) | {'name': parsed.name}
    lines = [f'--config={_config_argument(arguments)[0]}']
    lines += [f'--config.{key}={value}' for key, value in values.items()]
    return '\n'.join(map(shlex.quote, lines))


def run(command: Command) -> None:
    """Run one verb.

    Its module is imported only after the settings are checked, because importing jax is slow.
    """
    verb = VERBS[command.verb]
    arguments = [command.folder] if verb.folder else []
    if verb.reads_configs:
        _check_each(command.extra[list(verb.flags).index('configs')])
    if verb.reads_config:
        if command.config is not None:
            from mer_jax.experiment import settings

            settings.checked(command.config)
        arguments.insert(0, command.config)
    if command.hosts is not None:
        _run_on_hosts(command, arguments)
        return
    with quiet.loading():
        function = entries.loaded(verb.function)
    function(*arguments, *command.extra)


def _run_on_hosts(command, arguments):
    """Run a verb together with other hosts, of which the first alone prints."""
    from mer_jax.experiment import settings

    settings.check_hosts(command.config)
    supervisor.start(command.hosts[0])
    with quiet.loading():
        function = entries.loaded(VERBS[command.verb].function)
        join, leave = (entries.loaded(f'mer_jax.experiment.run:{name}') for name in JOIN_AND_LEAVE)
    host = join(*command.hosts)
    supervisor.joined(host)
    with supervisor.silent(host > 0):
        function(*arguments, *command.extra)
    leave()


def _check_each(configs):
    """Refuse configs {title: config} that break a rule; the message names the config."""
    from mer_jax.experiment import settings

    for name, config in configs.items():
        try:
            settings.checked(config)
        except UserError as error:
            raise UserError(f'--configs: {name}: {error}') from None


def parse(arguments: Sequence[str]) -> Command:
    """Parse a command line.

    Args:
        arguments: without the name of the program.

    Raises:
        UserError: there is no such verb, flag, config or setting.
    """
    arguments = _expanded(arguments)
    parsed = _parsed(arguments)
    name, *following = parsed.positional or ['train']
    if name not in VERBS:
        near = difflib.get_close_matches(name, VERBS, n=1)
        hint = f'did you mean {near[0]}? ' if near else ''
        raise UserError(f'{name!r} is not a verb; {hint}known: {", ".join(VERBS)}')
    verb = VERBS[name]
    _check_flags(name, parsed.flags)
    count = len(verb.arguments)
    if len(following) < count or len(following) > count and not verb.further:
        takes = ' '.join(verb.arguments) or 'no arguments'
        raise UserError(f'{name} {" ".join(following)}: {name} takes {takes}')
    refused = CONFIG_FLAG if verb.reads_configs else ANY_CONFIG_FLAG
    config_flags = [argument for argument in arguments if refused.match(argument)]
    if config_flags and not verb.reads_config:
        other = 'name it in --configs' if verb.reads_configs else 'leave it out'
        raise UserError(f'{config_flags[0]}: {name} reads no config; {other}')
    workdir = parsed.flags['workdir']
    if workdir and not verb.folder:
        raise UserError(f'--workdir={workdir}: {name} writes no folder; leave it out')
    folder = workdir
    if verb.needs_folder:
        folder = workdir or verb.folder.format(run=parsed.folder)
    config = parsed.file.config if verb.needs_config or config_flags else None
    values = {flag: parsed.flags[flag] or verb.defaults.get(flag, '') for flag in verb.flags}
    if verb.reads_configs:
        values['configs'] = _configs(values['configs'], arguments)
    further = [following[count:]] if verb.further else []
    switches = [parsed.flags[switch] for switch in verb.switches]
    extra = (*values.values(), *following[:count], *further, *switches)
    return Command(name, config, folder, extra, _hosts(name, parsed.flags))


def _hosts(name, values):
    """Return (coordinator, hosts, host) as flags say, or None where there is one host."""
    given = [flag for flag in (DISTRIBUTED, *HOST_FLAGS) if values[flag]]
    if not given:
        return None
    if name not in ON_HOSTS:
        raise UserError(
            f'--{given[0]}: {name} runs on one host; allowed with {" and ".join(ON_HOSTS)}'
        )
    if given == [DISTRIBUTED]:
        return '', 0, 0
    for flag, form in HOST_FLAGS.items():
        if not values[flag]:
            raise UserError(f'--{given[-1]} needs --{flag}={form} too')
    coordinator, count, host = (values[flag] for flag in HOST_FLAGS)
    if not re.fullmatch(r'[^\s:]+:\d{1,5}|\[[\da-fA-F:.]+\]:\d{1,5}', coordinator):
        raise UserError(
            f'--coordinator={coordinator}; allowed: HOST:PORT of the first host, such as node1:7000'
        )
    if not count.isdecimal() or not 2 <= int(count) <= MOST_HOSTS:
        raise UserError(f'--hosts={count}; allowed: 2 to {MOST_HOSTS}')
    if not host.isdecimal() or int(host) >= int(count):
        raise UserError(f'--host={host}; allowed: 0 to {int(count) - 1}, another on each host')
    return coordinator, int(count), int(host)


def _check_flags(name, values):
    """Refuse flags that the verb does not have, and the lack of one that it needs."""
    for flag, owners in (VALUED | SWITCHES).items():
        given = bool(values[flag])
        if given and name not in owners:
            raise UserError(f'--{flag} belongs to the verb {" or ".join(owners)}; leave it out')
        needed = flag in VERBS[name].flags and flag not in VERBS[name].defaults
        if needed and not given:
            raise UserError(f'{name} needs --{flag}={VERBS[name].flags[flag]}')


def _expanded(arguments):
    """The arguments with short flags, and a config that stands behind its verb, written out."""
    arguments = list(arguments)
    name = next((argument for argument in arguments if argument in VERBS), 'train')
    verb, written = VERBS[name], []
    if verb.config_argument:
        behind = arguments.index(name) + 1
        if arguments[behind:] and not arguments[behind].startswith('-'):
            arguments[behind] = f'--config={arguments[behind]}'
    for argument in arguments:
        flag = re.fullmatch(r'--?(\w+)(=.*)?', argument, re.DOTALL)
        if not flag or flag[1] not in SHORT:
            written.append(argument)
        elif flag[1] in verb.short:
            written.append(f'--config.{verb.short[flag[1]]}{flag[2] or ""}')
        else:
            owners = SHORT[flag[1]]
            setting = VERBS[owners[0]].short[flag[1]]
            raise UserError(
                f'{argument}: --{flag[1]} belongs to the verb {" or ".join(owners)}; write '
                f'--config.{setting}{flag[2] or "=VALUE"}'
            )
    named = any(map(CONFIG_FLAG.match, written))
    if not verb.needs_config and not named and any(map(ANY_CONFIG_FLAG.match, written)):
        # The labels of the default config are those of its drawn faces.
        written.insert(0, f'--config.data.labels={Data().labels}')
    return written


def _configs(text, arguments):
    """Return the configs that a text names, by title, with the flags of the command line."""
    configs = {}
    for name in config_files.split(text):
        config = _parsed([f'--config={name}', *arguments]).file.config
        if config.name in configs:
            raise UserError(f'--configs names {config.name} twice; allowed: each config once')
        configs[config.name] = config
    return configs


def _parsed(arguments) -> _Parsed:
    """Apply the flags to the config."""
    text, rest = _config_argument(arguments)
    file = config_files.read(text)
    before = flat(file.config.to_dict())
    _check_keys(rest, list(before))
    values = flags.FlagValues()
    for name in ('workdir', *HOST_FLAGS, *VALUED):
        flags.DEFINE_string(name, '', '', flag_values=values)
    for name in (DISTRIBUTED, *SWITCHES):
        flags.DEFINE_boolean(name, False, '', flag_values=values)
    try:
        config_flags.DEFINE_config_dict('config', file.config, flag_values=values, sys_argv=rest)
        positional = values([usage.program(), *rest])[1:]
    except flags.Error as error:
        raise UserError(_flag_mistake(str(error), file.config)) from None
    config = values.config
    changes = identity_changes(before, flat(config.to_dict()))
    name = config.name
    # The check of the settings refuses an empty name.
    if name.strip():
        config.name = title(name, file.variants_text, changes)
    return _Parsed(
        file._replace(config=config),
        positional,
        {name: values[name].value for name in COMMON + (*VALUED, *SWITCHES)},
        default_folder(file.path, file.variants_text, changes),
        name,
    )


def _config_argument(argv):
    """Return (the value of --config, the other arguments)."""
    indices = [index for index, text in enumerate(argv) if CONFIG_FLAG.match(text)]
    if len(indices) > 1:
        raise UserError(
            f'--config is given {len(indices)} times; give one config, and --config.KEY=VALUE for '
            'other values of settings'
        )
    if not indices:
        return config_files.DEFAULT, argv
    index = indices[0]
    if '=' in argv[index]:
        return argv[index].partition('=')[2], argv[:index] + argv[index + 1 :]
    return ''.join(argv[index + 1 : index + 2]), argv[:index] + argv[index + 2 :]


def _check_keys(argv, keys):
    """Refuse a --config.KEY that is not a setting."""
    for argument in argv:
        flag = re.match(r'--?(?:no)?config\.([^=]*)', argument)
        if not flag or flag[1] in keys:
            continue
        key = flag[1]
        if key in RENAMED:
            raise UserError(f'--config.{key}: {key} is now {RENAMED[key]}')
        related = [name for name in keys if name.endswith(f'.{key}') or name.startswith(f'{key}.')]
        near = related or difflib.get_close_matches(key, keys, n=1)
        flags_of_near = ' or '.join(f'--config.{name}' for name in near[:3])
        hint = f', did you mean {flags_of_near}?' if near else ''
        raise UserError(f'--config.{key}: no such setting{hint}; --config=NAME --help lists all')


def _flag_mistake(text, config):
    """Return the message of a mistake in a flag."""
    missing = re.match(r'Missing value for flag --(\w+)', text)
    if missing and missing[1] in VALUED:
        owner = VALUED[missing[1]][0]
        return f'{owner} needs --{missing[1]}={VERBS[owner].flags[missing[1]]}'
    flag = re.match(r'flag --config\.([\w.]+)=(.*?): ', text, re.DOTALL)
    if not flag:
        return f'{text}; --help lists the flags'
    key, value = flag[1], flag[2]
    default = flat(config.to_dict())[key]
    return f'--config.{key} is {value!r}; allowed: {KINDS[type(default)]}, such as {default}'
