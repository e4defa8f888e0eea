"""compare: finished runs side by side, their intervals, tests and files, made from fake folders of
runs.
"""

import csv
import json
import re
import xml.etree.ElementTree
from dataclasses import replace

import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.evaluation import paired
from mer_jax.report import compare_tables, plots_compare, study
from mer_jax.runfiles import files
from mer_jax.runfiles import results as result_files
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.metrics_log import EpochRecord, MetricsLog
from mer_jax.runfiles.predictions import PredictionTable
from mer_jax.runfiles.svms import SvmRow, SvmTable
from mer_jax.studies import compare
from mer_jax.types import Names, Predictions
from tests.support.pages import Page
from tests.support.run_folders import compare_without_jax, recognition_results

CLASSES = ('negative', 'positive', 'surprise')
LEAK = 'random_split: clips of one subject stand on both sides'
NASTY = r'50%_of {a}&b$#~^\x<y>'


def finished(
    path,
    *,
    data='casme2/video',
    labels='irawan3',
    classes=CLASSES,
    seeds=2,
    subjects=6,
    skill=1.0,
    system=0,
    leaks=(),
    clips=60,
    protocol='loso',
    flip=0,
    **blocks,
):
    """The folder of a run on the first `clips` clips of 60; `system` sets its mistakes, `flip`
    labels differ from the truth.
    """
    path.mkdir(parents=True)
    datasets = tuple(name.partition('/')[0] for name in data.split('+'))
    names = Names(
        tuple(classes),
        tuple(f's{i:02d}' for i in range(subjects)) * len(datasets),
        datasets,
        tuple(f'clip{i}' for i in range(60)),
        (),
    )
    label = (np.random.default_rng(0).integers(0, len(classes), 60) + (np.arange(60) < flip)) % len(
        classes
    )
    dataset = np.arange(60) * len(datasets) // 60
    person = np.arange(60) % subjects
    arrays = [np.arange(60), np.zeros(60), person + dataset * subjects, dataset, label, person]
    arrays = [np.tile(array[:clips], seeds).astype(np.int32) for array in arrays]
    noise = np.random.default_rng(system + 1).normal(0, 1, (seeds, 60, len(classes)))
    output = (noise + skill * np.eye(len(classes))[label])[:, :clips].reshape(
        seeds * clips, len(classes)
    )
    run = Predictions(
        *arrays, np.repeat(np.arange(seeds), clips).astype(np.int32), output.astype('f')
    )
    about = {
        'name': path.name,
        'protocol': protocol,
        'leaks': list(leaks),
        'folds': subjects,
        'seeds': seeds,
        'clips': clips,
        'data': {'name': data, 'labels': labels},
    }
    recognition_results(run, names, **about | blocks).write(path)
    PredictionTable.of(run, names).write(path)
    RunConfig({'name': path.name}, 'print').write(path)
    return path


def csv_rows(path):
    """The rows of a CSV file, {column: text} each."""
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def compared(tmp_path, *settings):
    """The table of runs a, b, c, ... with these settings."""
    folders = [
        finished(tmp_path / chr(97 + i), **{'system': i} | one) for i, one in enumerate(settings)
    ]
    return compare.table(compare.read(folders))


def written_words(result):
    """Compared runs as text, LaTeX and page."""
    words = compare_tables.study(result)
    return study.text(words), study.latex(words), study.html(words, [])


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    """The folder of a comparison over two data sets, with leaky runs and nasty names, and its
    table.
    """
    root = tmp_path_factory.mktemp('runs')
    finished(root / 'casme2_one', skill=2.0)
    finished(root / 'casme2_two', system=1, leaks=[LEAK], protocol='random_split')
    finished(root / f'casme2_{NASTY}', system=2, clips=48)
    finished(
        root / 'smic_one', data='smic/video', system=3, seeds=3, leaks=[f'pretrained on {NASTY}']
    )
    finished(root / 'smic_two', data='smic/video', system=4, seeds=1)
    folders = [
        root / name
        for name in ('casme2_one', 'casme2_two', f'casme2_{NASTY}', 'smic_one', 'smic_two')
    ]
    return root / 'out', compare.write(compare.read(folders), root / 'out')


def test_intervals_equal_those_of_results_json(tmp_path):
    """The table of a paper and the report of the run would quote two intervals of one figure."""
    folder = finished(tmp_path / 'run', data='casme2/video+samm/video', seeds=3)
    run = compare.read([folder])[0]
    row = compare.table([run])['groups'][0]['runs'][0]
    for block in ('metrics', 'sd', 'intervals'):
        assert row[block] == {
            name: run.results[block][name] for name in ('accuracy', 'precision', 'uar', 'uf1')
        }
    assert (row['seeds'], row['clips'], row['subjects']) == (3, 60, 12)


def test_differences_are_those_of_the_confusions_by_subject(tmp_path):
    """Subjects of two runs in another order would pair strangers, and swap first for second."""
    runs = compare.read(
        [finished(tmp_path / 'a', skill=0.5), finished(tmp_path / 'b', system=1, skill=2.0)]
    )
    pair = compare.paired_confusions(*runs)
    for cube, run in zip(pair, runs, strict=True):
        for s, row in enumerate(run.results['per_subject']):
            assert (
                cube[s].sum() == 2 * row['clips'] and np.trace(cube[s].sum(0)) == 2 * row['correct']
            )
    found = compare.table(runs)['groups'][0]['runs'][1]['against']
    expected = paired.difference(*pair)
    for name in ('uf1', 'accuracy'):
        assert {key: found[name][key] for key in ('difference', 'interval', 'p')} == expected[name]
        # Of confusions averaged over seeds; the scores of a run are means over its seeds.
        assert found[name]['difference'] == pytest.approx(
            runs[1].results['metrics'][name] - runs[0].results['metrics'][name], abs=0.01
        )
    assert found['common'] == 60 and found['uf1']['difference'] > 0


def test_perfect_and_most_improved_subjects_by_hand():
    """Documents quote them: a subject counted perfect in one seed of two would flatter."""
    right, wrong = np.diag([2, 1]), np.array([[1, 1], [0, 1]])
    half, none = np.array([[1, 1], [1, 0]]), 0 * right
    first = np.array([[right, right], [wrong, right], [half, half], [half, none]])
    second = np.array([[right, right], [right, right], [half, right], [right, none]])
    assert compare.perfect_subjects(first) == 1.5
    assert compare.perfect_subjects(second) == 3
    subjects = [('casme2', f'sub{number:02}') for number in range(1, 5)]
    gains = compare.improved(subjects, first, second)
    assert [one['subject'] for one in gains] == ['sub04', 'sub03', 'sub02']
    assert gains[1] == {
        'dataset': 'casme2',
        'subject': 'sub03',
        'clips': 3,
        'before': pytest.approx(1 / 3),
        'after': pytest.approx(2 / 3),
    }
    assert compare.improved(subjects, second, second) == []


def test_perfect_and_improved_subjects_stand_in_the_table(tmp_path):
    """Subjects of the one run and gains of another would be told of the wrong people."""
    runs = compare.read(
        [finished(tmp_path / 'a', skill=0.3), finished(tmp_path / 'b', system=1, skill=6.0)]
    )
    found = compare.table(runs)['groups'][0]['runs']
    for run, row in zip(runs, found, strict=True):
        shares = [block['accuracy'] for block in run.results['per_subject']]
        assert row['perfect_subjects'] >= shares.count(1.0)
    best = found[1]['against']['improved'][0]
    before, after = (
        {block['subject']: block['accuracy'] for block in run.results['per_subject']}
        for run in runs
    )
    gains = {subject: after[subject] - before[subject] for subject in before}
    assert best['after'] - best['before'] == pytest.approx(max(gains.values()))
    assert gains[best['subject']] == pytest.approx(max(gains.values()))
    text = ' '.join(written_words(compare.table(runs))[0].split())
    assert f'most improved subjects of b, by accuracy: casme2/{best["subject"]}' in text


def of_network(folder, *accuracies, groups=((0, 2),)):
    """Log a training of a run: an accuracy an epoch, the same in groups (number, runs)."""
    records = []
    for epoch, accuracy in enumerate(accuracies, 1):
        figures = dict.fromkeys(('loss', 'loss_min', 'loss_max'), 1 / epoch)
        for number, runs in groups:
            share = accuracy - 0.3 * number
            figures |= dict.fromkeys(('accuracy', 'accuracy_min', 'accuracy_max'), share)
            records.append(EpochRecord(epoch, number, runs, 0.1, dict(figures)))
    MetricsLog(tuple(records)).write(folder)
    return folder


def test_training_accuracy_of_networks_and_of_svms(tmp_path):
    """Beside the held-out figure it shows what is learned by heart; SVMs log no epochs."""
    network = of_network(finished(tmp_path / 'net'), 0.5, 0.9, groups=((0, 3), (1, 1)))
    assert compare.training_accuracy(network) == pytest.approx((3 * 0.9 + 0.6) / 4)
    machines = of_network(finished(tmp_path / 'svm'), 0.1)
    rows = (SvmRow('a', 0, 1, 1, 1, None, 5, 1.0), SvmRow('a', 0, 2, 1, 1, None, 5, 0.1))
    SvmTable((*rows, SvmRow('b', 0, 1, 1, 1, None, 5, 0.5))).write(machines)
    assert compare.training_accuracy(machines) == 0.75
    SvmTable((SvmRow('a', 0, 1, 1, 1, None, 5),)).write(machines)
    assert compare.training_accuracy(machines) is None
    assert compare.training_accuracy(finished(tmp_path / 'none')) is None


def test_in_distribution_is_the_same_experiment_with_clips_split(tmp_path):
    """Another experiment split at random would say what that one gains, not this."""
    folders = [
        of_network(finished(tmp_path / 'loso'), 0.9),
        finished(tmp_path / 'split', system=1, protocol='random_split', leaks=[LEAK]),
        finished(tmp_path / 'other', system=2, protocol='kfold'),
    ]
    settings = [
        {'name': 'a', 'protocol': {'name': 'loso'}, 'train': {'epochs': 3}},
        {'name': 'b', 'protocol': {'name': 'random_split'}, 'train': {'epochs': 3}},
        {'name': 'c', 'protocol': {'name': 'kfold'}, 'train': {'epochs': 4}},
    ]
    for folder, values in zip(folders, settings, strict=True):
        RunConfig(values, 'print').write(folder)
    found = compare.table(compare.read(folders))
    loso, split, other = found['groups'][0]['runs']
    wanted = {'title': 'split', 'accuracy': split['metrics']['accuracy']}
    assert loso['in_distribution'] == wanted
    assert split['in_distribution'] is other['in_distribution'] is None
    text = written_words(found)[0]
    row = next(line for line in text.splitlines() if re.match('loso .*loso', line))
    figures = [0.9, loso['metrics']['accuracy']]
    assert row.split() == ['loso', *(f'{one:.3f}' for one in figures), 'loso', '(!)'] + [
        f'{split["metrics"]["accuracy"]:.3f}'
    ]


def test_training_curves_stand_side_by_side(tmp_path):
    """With and without a GAN, each on its own scale, any two curves look alike."""
    folders = [of_network(finished(tmp_path / 'without'), 0.4, 0.6)]
    folders += [of_network(finished(tmp_path / 'gan', leaks=[LEAK], system=1), 0.4, 0.8)]
    folders += [finished(tmp_path / 'svm', system=2)]
    table = compare.table(compare.read(folders))
    assert plots_compare.training(tmp_path / 'training.svg', table)
    drawn = (tmp_path / 'training.svg').read_text()
    assert '<!-- without -->' in drawn and '<!-- † gan -->' in drawn
    assert '<!-- svm -->' not in drawn and drawn.count('<g id="axes_') == 4
    only = compare.table(compare.read(folders[2:]))
    assert not plots_compare.training(tmp_path / 'none.svg', only)
    assert not (tmp_path / 'none.svg').exists()


def test_holm_adjusts_within_a_data_set(tmp_path):
    """Twenty systems against one reference find a "significant" one by chance; other data sets are
    other questions.
    """
    settings = [{'skill': skill} for skill in (0, 1, 2, 3)] + [
        {'data': 'smic/video', 'skill': skill} for skill in (0, 2)
    ]
    first, second = compared(tmp_path, *settings)['groups']
    tests = [run['against']['uf1'] for run in first['runs'][1:]]
    assert [one['holm'] for one in tests] == paired.holm([one['p'] for one in tests]).tolist()
    assert max(one['holm'] for one in tests) > max(one['p'] for one in tests)
    assert second['runs'][1]['against']['uf1']['holm'] == second['runs'][1]['against']['uf1']['p']
    assert 'holm' not in first['runs'][1]['against']['accuracy']


def test_the_reference_may_be_another_run_of_each_group(tmp_path):
    """Differences to the wrong run would carry the wrong sign."""
    runs = compare.read([finished(tmp_path / 'a'), finished(tmp_path / 'b', system=1)])
    forward, backward = (compare.table(runs, reference=place)['groups'][0] for place in (0, 1))
    assert (forward['reference'], backward['reference']) == ('a', 'b')
    assert (
        backward['runs'][0]['against']['uf1']['difference']
        == -forward['runs'][1]['against']['uf1']['difference']
    )
    assert backward['runs'][1]['against'] is None
    with pytest.raises(
        UserError,
        match='reference.*2.*casme2/video, irawan3.*0 to 1',
    ):
        compare.table(runs, reference=2)


@pytest.mark.parametrize(
    'other',
    [
        {'data': 'casme2/flow'},
        {'labels': 'samer3'},
        {'classes': ('negative', 'positive', 'others')},
        {'flip': 1},
    ],
)
def test_runs_that_asked_another_question_are_never_paired(tmp_path, other):
    """Clip ids repeat between data sets and schemes: a test would compare answers to different
    questions.
    """
    first, second = compare.read([finished(tmp_path / 'a'), finished(tmp_path / 'b', **other)])
    assert compare.paired_confusions(first, second) is None
    found = compare.table([first, second])
    assert [run['against'] for group in found['groups'] for run in group['runs']] == [None, None]
    assert (
        len({group['title'] for group in found['groups']})
        == len(found['groups'])
        == (1 if 'flip' in other else 2)
    )
    for words in written_words(found):
        assert ('b is not compared with a' in words) == ('flip' in other)


def test_only_clips_that_every_seed_of_both_tested_are_paired(tmp_path):
    """A run on fewer clips would win by having dropped the hard ones, unless both are scored on the
    same.
    """
    folders = [finished(tmp_path / 'a', seeds=3), finished(tmp_path / 'b', system=1, clips=48)]
    first, second = compare.read(folders)
    pair = compare.paired_confusions(first, second)
    assert [cube.sum() / cube.shape[1] for cube in pair] == [48, 48]
    partial = first._replace(
        rows=[row for row in first.rows if (row.seed, row.clip) != (1, 'clip0')]
    )
    assert [cube.sum() / cube.shape[1] for cube in compare.paired_confusions(partial, second)] == [
        47,
        47,
    ]
    text = written_words(compare.table([first, second]))[0]
    assert (
        'b and a are compared on the 48 clips that every seed of both tested (of 48 and 60)'
        in ' '.join(text.split())
    )


def test_runs_of_other_numbers_of_seeds_are_tested(tmp_path):
    """A run of one seed against one of three had no p, so that nobody could compare them."""
    against = compared(tmp_path, {}, {'seeds': 3})['groups'][0]['runs'][1]['against']
    assert 0 < against['uf1']['p'] == against['uf1']['holm'] <= 1
    assert len(against['uf1']['interval']) == 2


def test_one_subject_has_no_interval_and_no_test(tmp_path):
    """An interval of width zero would claim certainty; NaN would break compare.json and every
    printer.
    """
    folders = [finished(tmp_path / name, subjects=1, system=i) for i, name in enumerate('ab')]
    found = compare.write(compare.read(folders), tmp_path / 'out')
    run = found['groups'][0]['runs'][1]
    assert set(run['intervals'].values()) == {None}
    assert run['against']['uf1']['interval'] is run['against']['uf1']['p'] is None
    assert json.loads((tmp_path / 'out' / 'compare.json').read_text()) == found
    assert '–' not in (tmp_path / 'out' / 'compare.tex').read_text()


def test_a_leaky_run_is_marked_everywhere(written, tmp_path):
    """A leaky figure copied out of any of the files must not look like an honest one."""
    folder, found = written
    text, tex, page = (
        written_words(found)[0],
        (folder / 'compare.tex').read_text(),
        (folder / 'compare.html').read_text(),
    )
    lines = text.splitlines()
    assert not any(re.match(r'(casme2_two|smic_one) +[+-]?[0-9]', line) for line in lines)
    # its figures, its difference, its leak
    assert sum(line.startswith('(!) casme2_two ') for line in lines) >= 3
    assert f'(!) casme2_two leaks: {LEAK}' in text
    # honest, but compared with a leaky run
    assert any(re.match(r'smic_two +\(!\) [+-]0', line) for line in lines)
    row = next(line for line in tex.splitlines() if line.startswith('casme2\\_two'))
    assert row.startswith(r'casme2\_two$^\dagger$ &') and r'^\dagger$ {\scriptsize' in row
    assert r'$^\dagger$ casme2\_two leaks: random\_split' in tex
    assert re.search(r'smic\\_two & .*\^\\dagger', tex)
    assert not re.search(r'casme2\\_one[^&\n]*dagger', tex)
    assert 'class="verdict leaky"' in page and f'<li>casme2_two: {LEAK}</li>' in page
    assert page.count('† casme2_two') == 3 and '† -' in page
    assert '<div>casme2_two' not in page and '<div>casme2_one' in page
    rows = {row['run']: row for row in csv_rows(folder / 'compare.csv')}
    assert (rows['casme2_two']['honest'], rows['casme2_two']['leaks']) == ('no', LEAK)
    assert (rows['smic_two']['honest'], rows['smic_two']['reference_honest']) == ('yes', 'no')
    handle = plots_compare.legend_entry('two', plots_compare.look_of(0), found['groups'])
    assert handle.get_label() == '† two'


def test_honest_runs_bear_no_mark(tmp_path):
    """A mark on every run marks none."""
    found = compared(tmp_path, {}, {})
    text, tex, page = written_words(found)
    assert '(!)' not in text
    assert '†' not in page and 'honest: no run leaks' in page
    assert 'dagger$ &' not in tex


def test_latex_escapes_names_and_every_row_is_whole(written):
    """One raw underscore or percent sign in a run's name stops LaTeX, or swallows the rest of its
    row.
    """
    lines = (written[0] / 'compare.tex').read_text().splitlines()
    body = lines[lines.index(r'\toprule') + 1 : lines.index(r'\bottomrule')]
    rows = [line for line in body if 'midrule' not in line and 'multicolumn' not in line]
    columns = {len(re.findall(r'(?<!\\)&', line)) + 1 for line in rows}
    assert len(columns) == 1
    assert rf'\begin{{tabular}}{{l{"c" * (columns.pop() - 1)}}}' in lines
    assert all(line.endswith(r' \\') for line in body if line != r'\midrule')
    name = (
        r'casme2\_50\%\_of '
        r'\{a\}\&b\$\#\textasciitilde{}\textasciicircum{}\textbackslash{}x\textless{}y\textgreater{}'
    )
    assert sum(line.startswith(name) for line in body) == 1
    bare = [re.sub(r'\\[&%$#_{}\\,]', '', line) for line in lines[1:]]
    for line in bare:
        assert (
            line.count('{') == line.count('}')
            and line.count('$') % 2 == 0
            and '%' not in line
            and '#' not in line
        )
        assert '_' not in re.sub(r'\$[^$]*\$', '', line)
    assert [line for line in lines if line.startswith(r'\label')] == [r'\label{tab:compare}']
    assert (
        sum(line.startswith(r'\begin') for line in lines)
        == sum(line.startswith(r'\end') for line in lines)
        == 2
    )


def test_csv_holds_every_figure(written):
    """Figures rounded or shifted by a column would be plotted by others as if they were right."""
    with open(written[0] / 'compare.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    runs = [run for group in written[1]['groups'] for run in group['runs']]
    assert [row['run'] for row in rows] == [run['title'] for run in runs] and rows[2][
        'run'
    ] == f'casme2_{NASTY}'
    for row, run in zip(rows, runs, strict=True):
        for name in ('accuracy', 'precision', 'uar', 'uf1'):
            assert float(row[name]) == run['metrics'][name]
            assert [float(row[f'{name}_low']), float(row[f'{name}_high'])] == run['intervals'][name]
            assert row[f'{name}_sd'] == str(run['sd'][name] or '')
        if run['against'] is None:
            assert row['uf1_difference'] == row['uf1_p'] == row['common_clips'] == ''
        else:
            assert float(row['uf1_difference']) == run['against']['uf1']['difference']
            assert [float(row[f'accuracy_difference_{end}']) for end in ('low', 'high')] == run[
                'against'
            ]['accuracy']['interval']
            assert (row['uf1_p_holm'], row['uf1_p']) == tuple(
                '' if run['against']['uf1'][key] is None else str(run['against']['uf1'][key])
                for key in ('holm', 'p')
            )


@pytest.mark.parametrize('long', [False, True])
def test_terminal_table_fits_and_shows_every_run(tmp_path, long):
    """Wrapped lines make a table unreadable; a cut title would make two runs look like one."""
    names = [f'casme2_cnn3d-variant={"st" * (30 if long else 1)},number={i}' for i in range(3)]
    found = compare.table(
        compare.read(
            [
                finished(tmp_path / name, system=i, leaks=[LEAK] * (i == 1))
                for i, name in enumerate(names)
            ]
        )
    )
    text = written_words(found)[0]
    assert max(map(len, text.splitlines())) <= 100
    for run in found['groups'][0]['runs']:
        assert text.count(run['title']) >= 1 and f'{run["metrics"]["uf1"]:.3f}' in text


def test_page_stands_alone_and_shows_names_as_text(written):
    """Names of runs come from folders: markup in one would run in the reader's browser."""
    page = (written[0] / 'compare.html').read_text()
    assert NASTY in Page(page).text and '<y>' not in page
    assert (
        'http' not in re.sub('base64,[^"]*', '', page)
        and page.count('data:image/svg+xml;base64,') == 2
    )
    assert all(
        file.suffix == '.svg' and xml.etree.ElementTree.parse(file)
        for file in (written[0] / 'plots').iterdir()
    )


def test_writing_twice_gives_the_same_bytes_and_no_stale_plot(written, tmp_path):
    """A table whose p values change between calls invites picking; a plot left over belongs to
    another comparison.
    """
    folder = tmp_path / 'out'
    runs = compare.read([finished(tmp_path / 'a'), finished(tmp_path / 'b', system=1)])
    compare.write(runs, folder)
    before = {path: path.read_bytes() for path in folder.rglob('*.*')}
    compare.write(runs, folder)
    assert before == {path: path.read_bytes() for path in folder.rglob('*.*')} and len(before) == 7
    compare.write(runs[:1], folder)
    assert [path.name for path in (folder / 'plots').iterdir()] == ['measures.svg']


def test_folders_are_found_by_name_list_and_glob(tmp_path, monkeypatch):
    """A folder's own name may hold commas ('demo-classes=3,quick'); a glob must pass over what is
    no run.
    """
    for name in ('runs/x_cnn3d', 'runs/demo-classes=3,quick', 'runs/y_cnn3d', 'old/x_cnn3d'):
        finished(tmp_path / name)
    (tmp_path / 'runs' / 'compare').mkdir()
    monkeypatch.chdir(tmp_path)
    titles = lambda folders: [run.title for run in compare.read(folders)]  # noqa: E731
    assert titles('runs/y_cnn3d,runs/demo-classes=3,quick, runs/x_cnn3d') == [
        'y_cnn3d',
        'demo-classes=3,quick',
        'x_cnn3d',
    ]
    assert titles('runs/*_cnn3d') == ['x_cnn3d', 'y_cnn3d']
    assert titles('runs/y_cnn3d,runs/*,') == ['y_cnn3d', 'demo-classes=3,quick', 'x_cnn3d']
    assert titles(['runs/x_cnn3d', tmp_path / 'old' / 'x_cnn3d', 'runs/../runs/x_cnn3d']) == [
        'runs/x_cnn3d',
        'old/x_cnn3d',
    ]


@pytest.mark.parametrize(
    ('title', 'data', 'expected'),
    [
        ('casme2_cnn3d-variant=st', 'casme2/video', 'cnn3d-variant=st'),
        ('casme_squared_cnn3d', 'casme_squared/video,edition=1', 'cnn3d'),
        ('synthetic_cnn3d', 'synthetic_faces/large', 'cnn3d'),
        ('synthetic_faces_cnn3d', 'synthetic_faces', 'cnn3d'),
        ('composite_ststnet', 'casme2/flow+samm/flow', 'ststnet'),
        ('smic/cnn3d', 'smic/video', 'cnn3d'),
        ('casme2_cnn3d', 'smic/video', 'casme2_cnn3d'),
        ('smic', 'smic/video', 'smic'),
    ],
)
def test_system_is_the_title_without_its_data_set(title, data, expected):
    """The line plot would draw four dots in place of one line over four data sets."""
    assert compare.system(title, data) == expected


def test_two_runs_of_one_data_set_are_never_one_system(tmp_path):
    """One of two lines would vanish behind the other's name."""
    found = compare.table(
        compare.read([finished(tmp_path / name) for name in ('casme2_net', 'net')])
    )
    assert [run['system'] for run in found['groups'][0]['runs']] == ['casme2_net', 'net']


def test_many_systems_look_different():
    """Two systems of one colour, mark and line cannot be told apart in the legend."""
    looks = [tuple(plots_compare.look_of(number).values()) for number in range(105)]
    assert len(set(looks)) == 105


def spoiled(tmp_path, case):
    """The folder of a run with one fault."""
    if case == 'missing':
        return tmp_path / 'nowhere'
    folder = finished(tmp_path / 'run')
    results = result_files.read(folder)
    if case == 'old':
        (folder / files.CONFIG).write_text('{"settings": {}, "data": "print"}')
    if case == 'lacking':
        replace(results, data={'name': 'casme2/video'}).write(folder)
    if case == 'other':
        replace(results, confusion=[[1] * 3] * 3).write(folder)
    if case == 'all_rows':
        replace(results, protocol='all_rows', confusion=[[0] * 3] * 3).write(folder)
    if case in ('unfinished', 'no_predictions'):
        (folder / (files.RESULTS if case == 'unfinished' else files.PREDICTIONS)).unlink()
    if case == 'class':
        path = folder / files.PREDICTIONS
        path.write_text(path.read_text().replace('surprise,', 'astonishment,'))
    if case == 'column':
        path = folder / files.PREDICTIONS
        path.write_text(path.read_text().replace(',label,', ',truth,', 1))
    if case == 'empty':
        path = folder / files.PREDICTIONS
        path.write_text(path.read_text().partition('\n')[0] + '\n')
    return folder


@pytest.mark.parametrize(
    ('case', 'words'),
    [
        ('missing', "'.*nowhere' "),
        ('unfinished', 'run.*results.json.*train'),
        ('old', 'run.*format 1.*--workdir'),
        ('lacking', "results.json.*'data.labels'.*score"),
        ('all_rows', 'run.*protocol all_rows'),
        ('no_predictions', 'predictions.csv.*score'),
        ('other', 'predictions.csv.*results.json'),
        ('column', "predictions.csv.*'label'.*score"),
        ('empty', 'predictions.csv.*results.json'),
        ('class', r"predictions.csv, row \d.*'astonishment'.*'negative'"),
    ],
)
def test_a_folder_that_cannot_be_compared_is_one_line(tmp_path, case, words):
    """A traceback would not tell which of twenty folders is at fault."""
    with pytest.raises(UserError, match=words) as error:
        compare.read(str(spoiled(tmp_path, case)))
    assert '\n' not in str(error.value)


def test_no_runs_and_no_room_are_one_line(tmp_path):
    """An empty table would be written without a word."""
    with pytest.raises(UserError, match='--runs'):
        compare.read(' , ')
    with pytest.raises(UserError, match="'nothing_[*]'"):
        compare.read('nothing_*')
    folder = finished(tmp_path / 'run')
    with pytest.raises(UserError, match='results.json.*--workdir'):
        compare.write(compare.read([folder]), folder / files.RESULTS)


def test_no_jax_is_imported(written, tmp_path):
    """Tables are made on laptops that hold the runs but no jax."""
    printed = compare_without_jax(finished(tmp_path / 'run'), tmp_path / 'out')
    assert 'compare: ' in printed and 'plots/measures.svg' in printed
