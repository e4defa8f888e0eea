"""report and plots: one self-contained page from the files of a run alone, and a table that fits a
terminal.
"""

import base64
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.evaluation import score
from mer_jax.report import plots, recognition_page, recognition_tables
from mer_jax.runfiles import files
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.dropped import DroppedClip, DroppedTable
from mer_jax.runfiles.explanations import Captions
from mer_jax.runfiles.folds import FoldRow, FoldTable
from mer_jax.runfiles.metrics_log import EpochRecord, MetricsLog
from mer_jax.runfiles.predictions import PredictionTable
from mer_jax.runfiles.results import RecognitionResults
from mer_jax.runfiles.svms import SvmRow, SvmTable
from mer_jax.types import Names, Predictions
from tests.support.pages import Page
from tests.support.run_folders import recognition_results

ROOT = Path(__file__).parents[2]
MARKUP = '<script>alert("x")</script>&'
PIXEL = base64.b64decode(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=='
)


def experiment(
    seeds=2, classes=('negative', 'positive', 'surprise'), rows=60, leaks=(), subjects=6
):
    """results.json and predictions of a made-up run."""
    rng = np.random.default_rng(0)
    subject = np.arange(rows) % max(subjects, 1)
    names = Names(
        tuple(classes),
        tuple(f's{i:02d}' for i in range(subjects)),
        ('casme2', 'samm'),
        tuple(f'clip{i}' for i in range(rows)),
        (),
    )
    label = rng.integers(0, len(classes), rows)
    outputs = (
        rng.normal(0, 1, (4, seeds * rows, len(classes)))
        + np.eye(len(classes))[np.tile(label, seeds)]
    ).astype('f')
    arrays = [np.arange(rows), np.zeros(rows), subject, subject % 2, label, subject]
    arrays = [np.tile(array, seeds).astype(np.int32) for array in arrays]
    run = Predictions(*arrays, np.repeat(np.arange(seeds), rows).astype(np.int32), outputs[-1])
    results = recognition_results(
        run,
        names,
        leaks=list(leaks),
        folds=subjects,
        seeds=seeds,
        clips=rows,
        oracle_epoch=score.oracle(outputs, run, names),
    )
    return results.to_json(), run, names


def folder_of(path, results, run, names, reason='no apex frame'):
    """Every file of the run."""
    RecognitionResults(**results).write(path)
    PredictionTable.of(run, names).write(path)
    RunConfig({'model': {'name': 'demo_model'}, 'note': reason}, 'print').write(path)
    folds = [FoldRow(i, f's{i:02d}', 'casme2', 1, 50, 0, 10, (10,)) for i in range(6)]
    FoldTable(('negative',), tuple(folds)).write(path)
    DroppedTable((DroppedClip('c1', 's09', 'samm', 'fear', reason),) * 3).write(path)
    keys = [f'{name}{end}' for name in ('loss', 'accuracy') for end in ('', '_min', '_max')]
    log = [EpochRecord(i, 0, 12, 0.1, dict.fromkeys(keys, 1 / i)) for i in range(1, 5)]
    MetricsLog(tuple(log)).write(path)
    return path


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """The folder of a run with its report, and its results."""
    results, run, names = experiment()
    results['data']['labels'] = 'annotated'
    path = folder_of(tmp_path_factory.mktemp('run'), results, run, names)
    RunConfig({'model': {'name': 'demo_model'}, 'data': {'labels': 'megc3'}}, 'print').write(path)
    recognition_page.report(path)
    return path, results


def page(path):
    """The text of a folder's report."""
    return (path / files.REPORT).read_text()


def test_the_columns_of_folds_are_explained(finished):
    """`subjects` 1 and `made` 0 in every row say nothing to who has not read the code."""
    section = page(finished[0]).partition('id="folds"')[2].partition('</section>')[0]
    words = section.casefold()
    for title in FoldTable.read(finished[0]).header[3:7]:
        assert words.count(title) > 1, title


def certainty(results, **changes):
    """The sentence on how sure a changed result is."""
    return recognition_page.certainty({**results, **changes})


def test_the_page_says_how_sure_its_scores_are(finished):
    """An interval that holds what no skill gives was read as success, five people as enough."""
    path, results = finished
    sizes = [sum(row) for row in results['confusion']]
    largest, share = results['classes'][sizes.index(max(sizes))], max(sizes) / sum(sizes)
    line = certainty(results)
    assert line in page(path)
    assert page(path).count(f'always “{largest}”: ') == 3  # beside each figure that is shown large
    assert f'“{largest}”' in line and f'accuracy {share:.3f}' in line
    assert '6 test subjects tell little' in line and 'docs/statistics.md' in line
    for edges, words in (
        (
            [share - 0.1, share + 0.1],
            'inside the 95 % interval: nothing better',
        ),
        ([share + 0.1, share + 0.2], 'below the 95 % interval: this run is better'),
        ([0.0, share - 0.1], 'above the 95 % interval: this run is worse'),
        (None, 'no interval'),
    ):
        changed = {**results['intervals'], 'uf1': None, 'accuracy': edges}
        assert words in certainty(results, intervals=changed)
    many = results['per_subject'] * 2
    assert 'tell little' not in certainty(results, per_subject=many)
    assert certainty(results, per_subject=[]) == ''


def test_page_shows_every_block(finished):
    """A section lost by a rename of a results.json key would go unnoticed until somebody
    misses it.
    """
    path, results = finished
    text = page(path)
    uf1, edges = results['metrics']['uf1'], results['intervals']['uf1']
    assert (
        f'UF1 {uf1:.3f} [{edges[0]:.3f}, {edges[1]:.3f}] over 6 subjects, 60 clips, 2 seeds; '
        'honest: no leaks' in text
    )
    titles = re.findall('<h2>(.*?)</h2>', text)
    assert titles == [
        'Metrics', 'Data sets', 'Classes', 'Training', 'Subjects',
        'What choosing the epoch on the left-out subject would report', 'Folds', 'Clips left out',
        'Plan, time, data and versions', 'Settings',
    ]  # fmt: skip
    for words in (
        'casme2_demo',
        's03',
        'no apex frame',
        'demo_model',
        'lowering',
        'Most certain mistakes',
        f'{uf1:.3f}',
    ):
        assert words in text


def test_settings_show_the_labels_that_were_used(finished):
    """'megc3' beside a plan with 'annotated' would leave open whose labels were learned."""
    text = Page(page(finished[0])).text
    assert re.search(r'data\.labels\s*annotated \(set: megc3\)', text)


def test_page_is_well_formed_and_needs_nothing_from_outside(finished):
    """A page that fetches fonts or scripts is blank behind a firewall and tells others who reads
    it.
    """
    tags = Page(page(finished[0])).tags
    assert not {'script', 'link', 'iframe'} & {tag for tag, _ in tags}
    sources = [attrs['src'] for tag, attrs in tags if tag == 'img']
    assert len(sources) == 5 and all(
        source.startswith('data:image/svg+xml;base64,') for source in sources
    )
    assert all(attrs['alt'] for tag, attrs in tags if tag == 'img')
    assert 'http' not in re.sub('base64,[^"]*', '', page(finished[0]))


def test_embedded_pictures_are_the_files_in_plots(finished):
    """The page and the figures that a paper takes from plots/ must not differ."""
    path, _ = finished
    embedded = {base64.b64decode(code) for code in re.findall('base64,([^"]*)', page(path))}
    assert embedded == {file.read_bytes() for file in (path / files.PLOTS).iterdir()}


def test_report_is_the_same_bytes_twice(finished):
    """Dates or random ids in the pictures would make every re-made report look changed."""
    before = page(finished[0])
    recognition_page.report(finished[0])
    assert page(finished[0]) == before


def test_markup_in_names_is_shown_not_run(tmp_path):
    """Clip, class and setting names come from files: an unescaped one would run in the reader's
    browser.
    """
    results, run, names = experiment(classes=('a', MARKUP), leaks=[MARKUP])
    results |= {'name': MARKUP, 'versions': {MARKUP: MARKUP}}
    names = names._replace(clips=(MARKUP,) * 60)
    path = folder_of(tmp_path, results, run, names, reason=MARKUP)
    recognition_page.report(path)
    assert '<script' not in page(path)
    # in title, banner, settings, clips left out, versions, classes, surest mistakes
    assert Page(page(path)).text.count(MARKUP) > 10


def test_leaks_stand_in_a_red_banner(tmp_path):
    """An 'as published' run must never be read as an honest one."""
    results, run, names = experiment(
        leaks=['random split: subjects in train and test', 'smote before the split']
    )
    recognition_page.report(folder_of(tmp_path, results, run, names))
    assert 'class="verdict leaky"' in page(tmp_path)
    assert 'not honest: 2 leaks' in page(tmp_path) and '<li>smote before the split</li>' in page(
        tmp_path
    )
    assert 'honest: no leaks' not in page(tmp_path)


@pytest.mark.parametrize('name', ['FOLDS', 'DROPPED', 'METRICS', 'CONFIG'])
def test_a_missing_file_leaves_a_line_in_its_place(finished, tmp_path, name):
    """A run copied without one file must still give its report, and say what it lacks."""
    path = shutil.copytree(finished[0], tmp_path / 'run')
    file = getattr(files, name)
    (path / file).unlink()
    recognition_page.report(path)
    assert f'holds no {file}' in page(path)


def test_no_results_is_a_line_that_says_what_to_do(tmp_path):
    """A traceback about results.json would not tell that training has not ended."""
    with pytest.raises(UserError, match='results.json.*train.*python -m mer_jax '):
        recognition_page.report(tmp_path)
    results = experiment()[0]
    del results['metrics']['precision']
    RecognitionResults(**results).write(tmp_path)
    with pytest.raises(UserError, match="results.json.*'metrics.precision'.*score"):
        recognition_page.report(tmp_path)


def test_report_without_oracle_seeds_or_predictions(tmp_path):
    """One seed has no spread, most runs no oracle, a run on all rows no predictions: none may stop
    the report.
    """
    results, run, names = experiment(seeds=1)
    recognition_page.report(
        folder_of(tmp_path, results | {'oracle_epoch': None, 'plan': None}, run, names)
    )
    assert 'evaluate.every_epoch is off' in page(tmp_path) and 'Each seed' not in page(tmp_path)
    nothing = Predictions(*(array[:0] for array in run))
    results |= {**score.score(nothing, names), 'protocol': 'all_rows'}
    (tmp_path / 'all').mkdir()
    recognition_page.report(folder_of(tmp_path / 'all', results, nothing, names))
    assert 'nothing was held out' in page(tmp_path / 'all')
    assert recognition_page.table(results).count('\n') == 1


@pytest.mark.parametrize('classes', [2, 3, 7, 12, 40])
def test_terminal_table_fits_and_tells_the_same(classes):
    """Wrapped lines make a confusion matrix unreadable."""
    titles = [f'emotion_number_{k}' for k in range(classes)]
    results, _, _ = experiment(classes=titles, leaks=['a leak of many words ' * 9], rows=80)
    text = recognition_page.table(results)
    assert max(map(len, text.splitlines())) <= 100
    assert (
        f'{results["metrics"]["uf1"]:.3f}' in text
        and 'a leak, not a result' in text
        and 'leak: a leak of' in text
    )
    if classes < 13:
        last = text[: text.index('\n\noracle')].splitlines()[-1]
        assert last.split()[1:] == [str(n) for n in results['confusion'][-1]]


def test_seeds_and_folds_may_be_lists(finished):
    """results.json of other tools may list the seeds; '[0, 1] seeds' would be printed."""
    results = finished[1] | {'seeds': [0, 1], 'folds': list(range(6))}
    assert '6 folds, 2 seeds' in recognition_page.table(
        results
    ) and '60 clips, 2 seeds' in recognition_page.table(results)


@pytest.fixture
def looked(finished, tmp_path):
    """A finished run whose folder holds pictures of what the network looks at."""
    path = shutil.copytree(finished[0], tmp_path / 'run')
    (path / 'explain').mkdir()
    for name in ('montage.png', 'scenarios.png', 'au_features.png'):
        (path / 'explain' / name).write_bytes(PIXEL + name.encode())
    captions = {'montage.png': MARKUP, 'au_features.png': 'too few clips'}
    Captions(captions).write(path / 'explain')
    return path


def test_what_the_network_looks_at_is_embedded(looked):
    """Maps that stay in a folder beside the page are lost when the page is sent on."""
    recognition_page.report(looked)
    text = page(looked)
    assert text.count('<h2>What the network looks at</h2>') == 1
    embedded = [
        base64.b64decode(code) for code in re.findall('data:image/png;base64,([^"]*)', text)
    ]
    assert embedded == [
        PIXEL + name for name in (b'montage.png', b'scenarios.png', b'au_features.png')
    ]
    assert MARKUP in Page(text).text and '<script' not in text and 'too few clips' in text
    assert 'Not drawn yet' not in text


def test_a_map_that_was_asked_for_stands_beside_the_others(looked):
    """The one network's map without its caption would pass for a held-out one."""
    name = 'au_features_all_rows.png'
    (looked / 'explain' / name).write_bytes(PIXEL + name.encode())
    recognition_page.report(looked)
    assert page(looked).count('data:image/png') == 3
    Captions({name: 'No held-out map'}).write(looked / 'explain')
    recognition_page.report(looked)
    assert page(looked).count('data:image/png') == 4 and 'No held-out map' in page(looked)


def test_a_picture_of_maps_that_was_not_drawn_leaves_its_reason(looked):
    """A run too small for a feature plot must still show its maps, and say why the plot is
    missing.
    """
    (looked / 'explain' / 'au_features.png').unlink()
    (looked / 'explain' / 'scenarios.png').unlink()
    recognition_page.report(looked)
    assert '<p class="soft">too few clips</p>' in page(looked) and 'holds no scenarios.png' in page(
        looked
    )
    (looked / 'explain' / 'captions.json').unlink()
    recognition_page.report(looked)
    assert page(looked).count('data:image/png') == 1


@pytest.mark.parametrize(
    ('model', 'head', 'said'),
    [
        ('dual_branch', 'none', True),
        ('single_branch', 'none', True),
        ('dual_branch', 'svm', False),
        ('ststnet', 'none', False),
    ],
)
def test_networks_with_maps_say_how_to_draw_them(finished, tmp_path, model, head, said):
    """The verb would stay unknown; for other networks the line would send the reader into
    an error.
    """
    path = shutil.copytree(finished[0], tmp_path / 'run')
    RunConfig({'model': {'name': model}, 'head': {'name': head}}, 'print').write(path)
    recognition_page.report(path)
    assert ('python -m mer_jax explain --config=casme2_demo' in page(path)) == said
    assert ('What the network looks at' in page(path)) == said


@pytest.mark.parametrize('suffix', ['svg', 'png'])
def test_plots_write_the_kind_of_their_suffix(tmp_path, suffix):
    """Hostile sizes: one class row without truth, 100 subjects, an epoch without figures."""
    results, _, _ = experiment(subjects=100, rows=100)
    plots.confusion(tmp_path / f'a.{suffix}', [[0, 0], [3, 1]], ['x', 'y'])
    plots.subjects(tmp_path / f'b.{suffix}', results['per_subject'])
    plots.curves(
        tmp_path / f'c.{suffix}',
        [{'epoch': 1, 'loss': None, 'accuracy': None}, {'epoch': 2, 'loss': 0.5}],
    )
    plots.datasets(tmp_path / f'd.{suffix}', {'one': results['per_dataset']['samm']}, {}, {})
    plots.oracle(tmp_path / f'e.{suffix}', results['oracle_epoch'])
    for file in tmp_path.iterdir():
        if suffix == 'png':
            assert file.read_bytes().startswith(b'\x89PNG')
        else:
            assert xml.etree.ElementTree.parse(file).getroot().tag.endswith('svg')
    assert len(list(tmp_path.iterdir())) == 5


def test_plots_can_be_read_on_a_phone(finished):
    """Text drawn for a wide screen has five pixels on a phone, and nobody can read it."""
    recognition_page.report(finished[0])
    paths = list((finished[0] / files.PLOTS).glob('*.svg'))
    assert len(paths) > 4
    for path in paths:
        drawn = path.read_text()
        width = float(re.search(r'width="([0-9.]+)pt"', drawn)[1])
        # letters are drawn 100 units high; a picture is 282 pixels wide on a phone of 360
        points = [100 * float(scale) for scale in re.findall(r'scale\(([0-9.]+) -', drawn)]
        assert points and min(points) * 282 / width >= 9, path.name


def test_groups_of_runs_are_joined_into_one_curve():
    """Where folds train in groups, each epoch has a line per group; drawn as they stand they make a
    zigzag.
    """
    one = {'epoch': 1, 'group': 0, 'runs': 3, 'loss': 1.0, 'loss_min': 0.5, 'loss_max': 2.0}
    two = {'epoch': 1, 'group': 1, 'runs': 1, 'loss': 3.0, 'loss_min': 0.9, 'loss_max': 4.0}
    later = {**one, 'epoch': 2, 'loss': None}
    epoch, middle, low, high = plots.join_groups([one, later, two, {**two, 'epoch': 2}], 'loss')
    np.testing.assert_array_equal(epoch, [1, 2])
    np.testing.assert_array_equal(middle, [(3 * 1.0 + 3.0) / 4, np.nan])
    np.testing.assert_array_equal([low[0], high[0]], [0.5, 4.0])


def test_plots_change_no_setting_of_matplotlib(finished):
    """A notebook's own figures would change their look after a report."""
    import matplotlib

    before = dict(matplotlib.rcParams)
    plots.confusion(finished[0] / 'x.png', [[1]], ['x'])
    assert dict(matplotlib.rcParams) == before
    (finished[0] / 'x.png').unlink()


def test_none_of_these_modules_imports_jax_or_pyplot(finished):
    """A report must open where no jax is installed, and without a display."""
    code = (
        'import sys\nclass Refuse:\n    def find_spec(self, name, *_):\n'
        "        assert name.split('.')[0] not in ('jax', 'jaxlib', 'flax', 'orbax'), name\n"
        "        assert name != 'matplotlib.pyplot', name\n"
        'sys.meta_path.insert(0, Refuse())\n'
        'from mer_jax.report import overlays, recognition_page\n'
        'recognition_page.report(sys.argv[1])\n'
    )
    subprocess.run([sys.executable, '-c', code, finished[0]], cwd=ROOT, check=True)


def test_machines_are_told_by_what_folds_chose(tmp_path):
    """Whether folds agree on cost and kernel says if the choice means something; a page that misses
    training curves of a run that trains nothing sends its reader looking for them.
    """
    results, run, names = experiment()
    folder = folder_of(tmp_path, results, run, names)
    rows = (
        SvmRow('a', 0, 1, cost=10, gamma=0.5, inner_uf1=0.61, support_vectors=31),
        SvmRow('b', 0, 1, cost=2, gamma=0.5, inner_uf1=0.5, support_vectors=40),
        SvmRow('c', 0, 1, cost=2, gamma=0.5, inner_uf1=0.7, support_vectors=20),
    )
    (folder / files.METRICS).unlink(missing_ok=True)
    page = recognition_page.report(folder).read_text()
    assert 'Support vector machines' not in page and files.METRICS in page
    SvmTable(rows).write(folder)
    page = recognition_page.report(folder).read_text()
    cells = re.findall('<t[dh][^>]*><div>([^<]*)</div>', page[page.index('<h2>Support vector') :])[
        :10
    ]
    assert cells == [
        '2',
        '0.5',
        '2',
        '20 to 40',
        '0.500 to 0.700',
        '10',
        '0.5',
        '1',
        '31 to 31',
        '0.610 to 0.610',
    ]
    assert files.METRICS not in page
    RecognitionResults(**results | {'oracle_epoch': None}).write(folder)
    assert 'choosing the epoch' not in recognition_page.report(folder).read_text()
    SvmTable(tuple(row._replace(inner_uf1=None) for row in rows)).write(folder)
    page = recognition_page.report(folder).read_text()
    assert re.search('<div>20 to 40</div></td>\\s*<td[^>]*><div>–', page)


@pytest.mark.parametrize('protocol,rows', [('lodo', 3), ('loso', 2)])
def test_figures_are_averaged_over_data_sets_where_those_are_left_out(protocol, rows):
    """MEGC2018 averages both ways; a mean over data sets of LOSO is the figure of no protocol."""
    results = experiment()[0]
    blocks = {'casme2': {**results['per_dataset']['casme2'], 'uar': 0.5}}
    blocks['samm'] = {**results['per_dataset']['samm'], 'uar': 0.25}
    changed = {**results, 'protocol': protocol, 'per_dataset': blocks}
    table = recognition_tables.datasets(changed)
    assert len(table.rows) == rows
    if protocol == 'lodo':
        assert table.rows[-1].cells['uar'] == 0.375
        blocks['samm']['uar'] = None
        assert recognition_tables.datasets(changed).rows[-1].cells['uar'] is None
