"""reproduce: an archive for others, in which no row of a picture and no path of the machine is."""

import json
import zipfile

import numpy as np
import pytest

import main
import tfds_builders
from mer_jax.experiment.settings import SETTINGS
from mer_jax.runfiles import archive, files, writing
from mer_jax.studies import reproduce
from tests.support import fake_raw, rows_of_pictures
from tests.support.messages import mentions

pytestmark = pytest.mark.usefixtures('undrawn')
FLAGS = (
    '--config.data.name=precomputed_flow',
    '--config.train.epochs=1',
    '--config.train.lowering=matmul',
    '--config.train.at_once=1',
    '--config.train.devices=1',
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder of the user, with a fake of the published features."""
    path = tmp_path_factory.mktemp('anna')
    fake_raw.write_precomputed_flow(path / 'raw')
    return path


@pytest.fixture(scope='module')
def call(folder):
    """call(*flags): code of the command, whose folder is that of the user."""

    def run(*flags):
        return main.main(
            [
                'reproduce',
                'megc2019_ststnet:quick',
                f'--manual_dir={folder}/raw',
                f'--config.data.data_dir={folder}/data',
                f'--workdir={folder}/flow-reproduce',
                *FLAGS,
                *flags,
            ]
        )

    return run


@pytest.fixture(scope='module')
def written(folder, call):
    """The archive of a run on the fake, with a leak audit that names folders."""
    audit = folder / 'flow-reproduce' / 'audit'
    audit.mkdir(parents=True)
    lines = [{'title': 'honest', 'folder': str(audit / 'honest')}]
    writing.write_json(audit / 'audit.json', {'name': 'flow', 'lines': lines})
    writing.write_csv(audit / 'audit.csv', ['title', 'folder'], [['honest', audit / 'honest']])
    assert call('--without_audit') == 0
    return folder / 'flow-reproduce' / f'flow{archive.SUFFIX}'


def texts_of(path):
    """{name: text} of an archive."""
    with zipfile.ZipFile(path) as unpacked:
        return {name: unpacked.read(name).decode() for name in unpacked.namelist()}


def test_no_row_of_a_picture_is_in_the_archive(folder, written, tmp_path):
    """Whoever passes on a face of a licensed release breaks the licence of all of them."""
    builder = tfds_builders.prepare('precomputed_flow', data_dir=folder / 'data', progress=False)
    records = list(tfds_builders.records(builder))
    blocks = list(rows_of_pictures.rows_of(records))
    assert sum(map(len, blocks)) > 1000 and rows_of_pictures.rows_in(written, blocks) == []
    # the search itself: a row as bytes, as floats, and as text in the order of a table
    row = blocks[0][0]
    leaks = [
        row.tobytes(),
        row.astype(np.float32).tobytes(),
        ','.join(map(str, row)).encode(),
        json.dumps({'feature': [round(float(value) / 255, 6) for value in row]}).encode(),
    ]
    for content in leaks:
        with zipfile.ZipFile(tmp_path / 'leak.zip', 'w', zipfile.ZIP_DEFLATED) as leak:
            leak.writestr('results.json', b'{"x": "' + content + b'"}')
        assert rows_of_pictures.rows_in(tmp_path / 'leak.zip', [row[None]])


def test_the_archive_holds_what_it_says_and_no_path(folder, written):
    """A path names the user and the machine; a file that README does not name is a surprise."""
    texts = texts_of(written)
    assert not [name for name, text in texts.items() if folder.name in text]
    assert all(archive.NAMES.fullmatch(name) for name in texts)
    assert {files.RESULTS, files.PREDICTIONS, files.CONFIG, files.FOLDS} <= {*texts}
    assert {*archive.LEAK_AUDIT, 'build_audit_precomputed_flow.csv'} <= {*texts}
    assert all(f'  {name} ' in texts[archive.README] for name in texts if name != archive.README)
    (source,) = json.loads(texts[archive.ABOUT])['data_sets']
    digests = [source['fingerprint'], *source['made_by'].values(), *source['made_from'].values()]
    assert all(len(digest) == 64 and int(digest, 16) for digest in digests)
    settings = json.loads(texts[files.CONFIG])['settings']
    assert settings['data']['manual_dir'] == reproduce.LEFT_OUT
    assert settings['data']['name'] == 'precomputed_flow'


def test_the_same_run_is_the_same_archive(call, written):
    """Otherwise nobody could see whether a second one holds other figures."""
    before = written.read_bytes()
    written.unlink()
    assert call('--without_audit') == 0
    assert written.read_bytes() == before


def test_an_archive_is_compared_like_its_run(folder, written, tmp_path, capsys):
    """That is what it is sent for."""
    run = folder / 'flow-reproduce' / 'run'
    assert main.main(['compare', str(written), str(run), f'--workdir={tmp_path}']) == 0
    (group,) = json.loads((tmp_path / 'compare.json').read_text())['groups']
    first, second = group['runs']
    assert first['folder'] == str(written) and not first['reported']
    assert first['metrics'] == second['metrics']
    assert first['training_accuracy'] == second['training_accuracy'] is not None
    assert second['against']['uf1']['difference'] == 0
    # a figure that was altered, and the digests with it
    texts = texts_of(written)
    texts.pop(archive.ABOUT)
    results = json.loads(texts[files.RESULTS])
    results['confusion'][0][0] += 1
    archive.write(tmp_path / 'b.zip', texts | {files.RESULTS: json.dumps(results)}, {})
    capsys.readouterr()
    assert main.main(['compare', f'{tmp_path}/b.zip']) == 2
    assert mentions(capsys.readouterr().err, f'{tmp_path}/b.zip ... predictions')


def test_paths_in_settings_are_left_out_and_methods_stay(tmp_path):
    """Weights lie in a folder that names their owner; midpoint is a rule."""
    config = {
        'data': {'apex': 'midpoint', 'manual_dir': 'raw', 'data_dir': '', 'name': 'casme2/flow'},
        'model': {'init_from': f'{tmp_path}/anna/{{subject}}.pth'},
    }
    assert reproduce.portable(config, SETTINGS) == {
        'data': {
            'apex': 'midpoint',
            'manual_dir': reproduce.LEFT_OUT,
            'data_dir': '',
            'name': 'casme2/flow',
        },
        'model': {'init_from': reproduce.LEFT_OUT},
    }


def test_results_are_archived_before_the_audit_which_may_be_stopped(tmp_path):
    """The audit takes hours; a kill during it must not keep the first figures back."""
    calls = []

    def stopped(folder):
        calls.append('audit')
        raise KeyboardInterrupt

    def pack(folder, path):
        calls.append(path.name)

    with pytest.raises(KeyboardInterrupt):
        reproduce.reproduce('x', tmp_path / 'x-reproduce', lambda folder: {}, stopped, pack)
    assert calls == [f'x{archive.SUFFIX}', 'audit']


def test_config_stands_behind_the_verb(capsys):
    """The command of the docs; a second config is refused as everywhere."""
    assert main.main(['reproduce', 'no_such_config', '--manual_dir=x']) == 2
    assert mentions(capsys.readouterr().err, 'no_such_config')
    assert main.main(['train', '--config=megc2019_ststnet', '--manual_dir=x']) == 2
    assert mentions(
        capsys.readouterr().err, '--manual_dir ... reproduce ... --config.data.manual_dir'
    )
