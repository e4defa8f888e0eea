"""compare of spotting runs: errors, paired differences and files, made from hand-made folders of
runs.
"""

import csv
import json
import re
import types
import xml.etree.ElementTree
from dataclasses import replace

import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.evaluation import paired
from mer_jax.report import compare_spotting_tables, study
from mer_jax.runfiles import files
from mer_jax.runfiles import results as result_files
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.predictions import PredictionTable
from mer_jax.spotting import score
from mer_jax.studies import compare, compare_spotting
from mer_jax.types import Names, Predictions
from tests.studies.compare_test import csv_rows
from tests.support.pages import Page
from tests.support.run_folders import compare_without_jax, recognition_results, spotting_results

LEAK = 'random_split: clips of one subject stand on both sides'
NASTY = r'50%_of {a}&b$#~^\x<y>'
DECISIONS = ('max', 'sw_max', 'template')
APEX = 40
OFF = {'max': 4, 'sw_max': 3, 'template': 2}  # frames by which every answer of a plain run is late


def finished(
    path,
    *,
    off=None,
    clips=6,
    subjects=3,
    seeds=1,
    data='casme2/spotting',
    answer='sw_max',
    leaks=(),
    apex=APEX,
    offset=100,
    fraction=46,
    unknown=0,
    fps=200,
    protocol='loso',
    labels='linear',
):
    """The folder of a run on clips from frame 0 to `offset`, whose answers to each are late by
    off[decision] [seeds, clips].

    Clip i is of subject i % subjects; the last `unknown` clips have no apex.
    """
    path.mkdir(parents=True)
    off = {
        name: np.broadcast_to(late, (seeds, clips)).ravel()
        for name, late in {**OFF, **(off or {})}.items()
    }
    person = np.arange(clips) % subjects
    people, titles = (
        tuple(f'{word}{i}' for i in range(count))
        for word, count in (('s', subjects), ('clip', clips))
    )
    names = Names((), people, (data.partition('/')[0],), titles, ())
    known = np.where(np.arange(clips) < clips - unknown, apex, -1)
    timing = types.SimpleNamespace(
        onset=np.zeros(clips, int),
        apex=known,
        offset=np.full(clips, offset),
        fps=np.full(clips, fps),
    )
    clip, all_rows = np.tile(np.arange(clips), seeds), np.ones(seeds * clips, int)
    frame = {name: apex + late for name, late in off.items()}
    frame |= {'midpoint': offset // 2 * all_rows, 'fraction': fraction * all_rows}
    found = score.Decoded(
        clip, person[clip], np.repeat(np.arange(seeds), clips), all_rows > 0, frame, []
    )
    nobody = np.zeros(clips, int)
    score.table(found, timing, names, names.subjects, person, nobody).write(path)
    results = spotting_results(
        score.score(found, timing, names, person, nobody),
        name=path.name,
        protocol=protocol,
        leaks=list(leaks),
        folds=subjects,
        seeds=seeds,
        clips=clips,
        answer=answer,
        data={'name': data, 'labels': labels},
    )
    results.write(path)
    RunConfig({}, 'print').write(path)
    return path


def compared(tmp_path, *settings):
    """The table of runs a, b, c, ... with these settings."""
    return compare.table(
        compare.read([finished(tmp_path / chr(97 + i), **one) for i, one in enumerate(settings)])
    )


def written_words(found):
    """A table as text on one line, LaTeX and page."""
    words = compare_spotting_tables.study(found)
    return [
        ' '.join(study.text(words).split()),
        study.latex(words),
        study.html(words, []),
    ]


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    """The folder of a comparison over two data sets, with leaky runs and nasty names, and its
    table.
    """
    root = tmp_path_factory.mktemp('runs')
    late = np.random.default_rng(0).integers(0, 9, (2, 6))
    finished(root / 'casme2_one', seeds=2, off={'max': late})
    finished(root / 'casme2_two', off={'sw_max': late[1], 'template': -late[0]}, leaks=[LEAK])
    finished(root / f'casme2_{NASTY}', off={'sw_max': 1}, answer='template')
    finished(root / 'samm_one', data='samm/spotting', leaks=[f'pretrained on {NASTY}'], offset=120)
    finished(root / 'samm_two', data='samm/spotting', off={'max': late[0]}, offset=120)
    folders = [
        root / name
        for name in ('casme2_one', 'casme2_two', f'casme2_{NASTY}', 'samm_one', 'samm_two')
    ]
    return root / 'out', compare.write(compare.read(folders), root / 'out')


def test_figures_by_hand(tmp_path):
    """A paper would quote them: means over seeds, then clips; the two answers without looking once,
    differences signed.
    """
    found = compared(
        tmp_path, {}, {'seeds': 2, 'off': {'sw_max': [[0, 2, 4, 0, 2, 4], [2, 4, 6, 2, 4, 6]]}}
    )['groups']
    (one,) = found
    assert (one['title'], one['reference'], one['decision']) == ('casme2/spotting', 'a', 'sw_max')
    assert {name: block['mae'] for name, block in one['simple'].items()} == {
        'midpoint': 10,
        'fraction': 6,
    }
    first, second = one['runs']
    assert {name: block['mae'] for name, block in first['decisions'].items()} == {
        'max': 4,
        'sw_max': 3,
        'template': 2,
    }
    assert first['decisions']['max']['mae_ms'] == 20 and first['decisions']['max']['interval'] == [
        4,
        4,
    ]
    assert {
        name: gain['difference'] for name, gain in first['decisions']['template']['against'].items()
    } == {'midpoint': -8, 'fraction': -4}
    assert (second['seeds'], second['clips'], second['subjects']) == (2, 6, 3)
    block = second['decisions']['sw_max']  # subjects are off by 1, 3 and 5; seeds by 2 and 4
    assert (block['mae'], block['sd']) == (3, pytest.approx(2**0.5)) and block['against'][
        'midpoint'
    ]['difference'] == -7
    assert set(first['against']) == {'common', 'max', 'template'} and set(second['against']) == {
        'common',
        *DECISIONS,
    }
    assert {name: second['against'][name]['difference'] for name in DECISIONS} == {
        'max': 1,
        'sw_max': 0,
        'template': -1,
    }
    # of 8 swaps: all, and none or all
    assert second['against']['sw_max']['p'] == 1 and second['against']['max']['p'] == 0.25


def test_differences_are_those_of_paired_means_by_subject(tmp_path):
    """Clips of two runs in another order, or subjects mixed up, would pair strangers."""
    late = np.random.default_rng(1).integers(-5, 6, (2, 2, 9))
    plain = {'clips': 9, 'subjects': 4}
    folders = [
        finished(tmp_path / 'a', off={'sw_max': late[0, :1]}, **plain),
        finished(tmp_path / 'b', off={'max': late[1]}, seeds=2, **plain),
    ]
    path = folders[1] / files.APEXES
    head, *lines = path.read_text().splitlines()
    path.write_text('\n'.join([head, *reversed(lines)]) + '\n')
    one = compare.table(compare.read(folders))['groups'][0]
    subject, start, end = np.arange(9) % 4, np.abs(late[0, 0]), np.abs(late[1]).mean(0)
    against = one['runs'][1]['against']
    assert {
        key: against['max'][key] for key in ('difference', 'interval', 'p')
    } == paired.mean_test(start, end, subject)
    assert one['runs'][1]['decisions']['max']['against']['fraction'] == paired.mean_test(
        np.full(9, 6), end, subject
    )
    assert one['runs'][1]['decisions']['max']['interval'] == paired.bootstrap_mean(end, subject)[1]


def test_holm_adjusts_all_tests_against_the_reference_of_a_data_set(tmp_path):
    """Three decisions of each run against one answer: some "significant" one is found by chance."""
    late = np.random.default_rng(2).integers(0, 9, (4, 6, 8))
    settings = [
        {'clips': 8, 'subjects': 8, 'off': dict(zip(DECISIONS, one, strict=False))} for one in late
    ]
    settings += [{'data': 'samm/spotting', 'clips': 8, 'subjects': 8, 'off': {'max': late[0, 5]}}]
    first, second = compared(tmp_path, *settings)['groups']
    tests = [
        run['against'][name]
        for run in first['runs']
        for name in DECISIONS
        if name in run['against']
    ]
    assert len(tests) == 4 * 3 - 1
    assert [one['holm'] for one in tests] == paired.holm([one['p'] for one in tests]).tolist()
    assert min(one['holm'] for one in tests) > min(one['p'] for one in tests)
    own = second['runs'][0]['against']
    assert [own[name]['holm'] for name in ('max', 'template')] == paired.holm(
        [own['max']['p'], own['template']['p']]
    ).tolist()


def test_only_clips_that_every_seed_of_both_tested_are_paired(tmp_path):
    """A run on fewer clips would win by having dropped the hard ones."""
    found = compared(
        tmp_path, {'clips': 9, 'off': {'sw_max': [1] * 6 + [30] * 3}}, {'clips': 7, 'unknown': 1}
    )
    run = found['groups'][0]['runs'][1]
    assert (run['clips'], run['against']['common']) == (6, 6) and run['against']['sw_max'][
        'difference'
    ] == 3 - 1
    for words in written_words(found):
        assert (
            'b and a are compared on the 6 clips that every seed of both tested (of 6 and 9)'
            in words
        )
    (run,) = compare.read([finished(tmp_path / 'c', seeds=2)])
    assert compare_spotting.matches_results(run)
    partial = run._replace(rows=[row for row in run.rows if (row.seed, row.clip) != (1, 'clip0')])
    assert {key[2] for key in compare_spotting.errors(partial)} == {f'clip{i}' for i in range(1, 6)}
    assert not compare_spotting.matches_results(run._replace(rows=run.rows[:3]))


@pytest.mark.parametrize('other', [{'data': 'casme2/later'}, {'apex': 41}, {'offset': 90}])
def test_runs_on_other_clips_are_never_paired(tmp_path, other):
    """Clip ids repeat between data sets: a test would compare answers to different questions."""
    found = compared(tmp_path, {}, other)
    runs = [run for group in found['groups'] for run in group['runs']]
    assert len(found['groups']) == (2 if 'data' in other else 1)
    assert runs[1]['against'] is None or 'sw_max' not in runs[1]['against']
    for words in written_words(found):
        assert ('b is not compared with a' in words) == ('data' not in other)


def test_other_labels_are_one_question_and_other_folds_are_told(tmp_path):
    """Label functions are what such tables compare; a fraction fitted to other folds is not the one
    that stands in the table.
    """
    found = compared(tmp_path, {}, {'labels': 'log'}, {'fraction': 44, 'protocol': 'kfold'})
    (one,) = found['groups']
    assert [run['against']['common'] for run in one['runs']] == [6, 6, 6]
    # to its own fraction
    assert one['runs'][2]['decisions']['max']['against']['fraction']['difference'] == 0
    for words in written_words(found):
        assert words.count('has other clips or folds') == 1
        assert (
            'c has other clips or folds; its differences are to the baselines on these: midpoint '
            '10.00, fitted' in words
        )
        assert 'c is tested by kfold, a by loso' in words


def test_the_reference_may_be_another_run(tmp_path):
    """Differences to the wrong run, or to another decision than its own, would carry the wrong
    sign.
    """
    runs = compare.read(
        [finished(tmp_path / 'a'), finished(tmp_path / 'b', answer='template', off={'template': 1})]
    )
    one = compare.table(runs, reference=1)['groups'][0]
    assert (one['reference'], one['decision']) == ('b', 'template')
    assert {name: one['runs'][0]['against'][name]['difference'] for name in DECISIONS} == {
        'max': 3,
        'sw_max': 2,
        'template': 1,
    }
    assert 'template' not in one['runs'][1]['against']
    with pytest.raises(UserError, match='reference.*2.*casme2/spotting.*0 to 1'):
        compare.table(runs, reference=2)


def test_one_subject_without_frame_rate_has_no_interval_no_test_and_no_ms(tmp_path):
    """An interval of width zero would claim certainty; NaN would break compare.json and every
    printer.
    """
    folders = [finished(tmp_path / name, subjects=1, fps=0) for name in 'ab']
    found = compare.write(compare.read(folders), tmp_path / 'out')
    run = found['groups'][0]['runs'][1]
    assert run['decisions']['max']['interval'] is run['decisions']['max']['mae_ms'] is None
    assert run['against']['max'] == {'difference': 1, 'interval': None, 'p': None, 'holm': None}
    assert json.loads((tmp_path / 'out' / 'compare.json').read_text()) == found
    assert '–' not in (tmp_path / 'out' / 'compare.tex').read_text()


def test_a_leaky_run_is_marked_everywhere(written):
    """A leaky figure copied out of any of the files must not look like an honest one."""
    folder, found = written
    text, tex, page = (
        study.text(compare_spotting_tables.study(found)),
        (folder / 'compare.tex').read_text(),
        (folder / 'compare.html').read_text(),
    )
    casme2, samm = (part.splitlines() for part in text.split('samm/spotting')[:2])
    start = casme2.index('(!) casme2_two: loso, 1 seed, 6 clips, 3 subjects')
    assert all(line.startswith('  (!) ') for line in casme2[start + 1 : start + 4])
    # in each of three tables the run and its decisions, and its leak
    assert sum(line.lstrip().startswith('(!)') for line in casme2) == 3 * 4 + 1
    assert f'(!) casme2_two leaks: {LEAK}' in text
    # fitted under a split that leaks
    assert any(line.startswith('(!) fitted fraction') for line in samm)
    tested = samm[next(i for i, line in enumerate(samm) if line.startswith('minus SW-Max')) :]
    start = tested.index('samm_two: loso, 1 seed, 6 clips, 3 subjects')
    # honest, but compared with a leaky run
    assert re.match(r'  Max +\(!\) [+-]', tested[start + 1])
    after = tex[tex.index(r'{casme2\_two:') :].splitlines()
    assert r'$^\dagger$} \\' in after[0] and not re.search(r'casme2\\_one[^&\n]*dagger', tex)
    assert all(line.count(r'\dagger') == 4 for line in after[1:4])  # title and three differences
    assert 'class="verdict leaky"' in page and f'<li>casme2_two: {LEAK}</li>' in page
    headings = re.findall('class="heading"[^>]*>(† )?(casme2_one|casme2_two|samm_one)', page)
    assert {title: bool(mark) for mark, title in headings} == {
        'casme2_one': False,
        'casme2_two': True,
        'samm_one': True,
    }
    rows = {row['run']: row for row in csv_rows(folder / 'compare.csv')}
    assert (rows['casme2_two']['honest'], rows['casme2_two']['leaks']) == ('no', LEAK)
    assert (rows['samm_two']['honest'], rows['samm_two']['reference_honest']) == ('yes', 'no')


def test_honest_runs_bear_no_mark(tmp_path):
    """A mark on every run marks none."""
    found = compared(tmp_path, {}, {})
    text, tex, page = written_words(found)
    assert (
        '(!)' not in text
        and '†' not in page
        and 'honest: no run leaks' in page
        and tex.count('dagger') == 1
    )


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
    assert sum(r'{casme2\_50\%\_of \{a\}\&b\$\#\textasciitilde{}' in line for line in body) == 1
    for line in (re.sub(r'\\[&%$#_{}\\,]', '', line) for line in lines[1:]):
        assert (
            line.count('{') == line.count('}')
            and line.count('$') % 2 == 0
            and '%' not in line
            and '#' not in line
        )
        assert '_' not in re.sub(r'\$[^$]*\$', '', line)


def test_csv_holds_every_figure(written):
    """Figures rounded or shifted by a column would be plotted by others as if they were right."""
    with open(written[0] / 'compare.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    group = written[1]['groups'][0]
    lines = [(None, name, block) for name, block in group['simple'].items()]
    lines += [
        (run, name, block) for run in group['runs'] for name, block in run['decisions'].items()
    ]
    assert [(row['run'], row['decision']) for row in rows[:11]] == [
        (run['title'] if run else '', name) for run, name, _ in lines
    ]
    assert len(rows) == 11 + 8 and [row['decision'] for row in rows if row['own_answer'] == 'yes'][
        :3
    ] == ['sw_max', 'sw_max', 'template']
    for row, (run, name, block) in zip(rows, lines, strict=False):
        assert (float(row['frames']), float(row['ms'])) == (block['mae'], block['mae_ms'])
        assert [float(row['ms_low']), float(row['ms_high'])] == block['interval_ms']
        tests = {f'{simple}_': gain for simple, gain in block['against'].items()}
        tests |= {'': run['against'][name]} if run and name in run['against'] else {}
        for start, test in tests.items():
            assert [
                float(row[f'{start}{key}'])
                for key in ('difference', 'difference_low', 'difference_high', 'p')
            ] == [test['difference'], *test['interval'], test['p']]
        assert row['p_holm'] == (str(tests['']['holm']) if '' in tests else '')


@pytest.mark.parametrize('long', [False, True])
def test_terminal_table_fits_and_shows_every_run(tmp_path, long):
    """Wrapped lines make a table unreadable; a cut title would make two runs look like one."""
    names = [f'casme2_vggm-variant={"st" * (30 if long else 1)},number={i}' for i in range(2)]
    late = {'max': [150, 200, 300, 9, 9, 12]}
    folders = [
        finished(tmp_path / name, leaks=[LEAK], offset=600 + 600 * long, off=late) for name in names
    ]
    text = study.text(compare_spotting_tables.study(compare.table(compare.read(folders))))
    assert max(map(len, text.splitlines())) <= 100
    assert all(text.count(name) >= 2 for name in names) and text.count('113.33') == 2


def test_page_stands_alone_and_shows_names_as_text(written):
    """Names of runs come from folders: markup in one would run in the reader's browser."""
    page = (written[0] / 'compare.html').read_text()
    assert NASTY in Page(page).text and '<y>' not in page
    assert (
        'http' not in re.sub('base64,[^"]*', '', page)
        and page.count('data:image/svg+xml;base64,') == 1
    )
    (picture,) = (written[0] / 'plots').iterdir()
    assert picture.name == 'errors.svg' and xml.etree.ElementTree.parse(picture)


def test_writing_twice_gives_the_same_bytes_and_no_stale_plot(tmp_path):
    """A table whose p values change between calls invites picking; a plot left over belongs to
    another comparison.
    """
    runs = compare.read([finished(tmp_path / 'a'), finished(tmp_path / 'b')])
    (tmp_path / 'out' / 'plots').mkdir(parents=True)
    (tmp_path / 'out' / 'plots' / 'measures.svg').write_text('of recognition')
    compare.write(runs, tmp_path / 'out')
    before = {path: path.read_bytes() for path in (tmp_path / 'out').rglob('*.*')}
    compare.write(runs, tmp_path / 'out')
    assert (
        before == {path: path.read_bytes() for path in (tmp_path / 'out').rglob('*.*')}
        and len(before) == 6
    )


def test_runs_of_two_kinds_are_refused_in_one_line(tmp_path):
    """An error in frames beside an accuracy is no table."""
    other = tmp_path / 'other'
    other.mkdir()
    names = Names(('a', 'b'), ('s0', 's1'), ('casme2',), ('c0', 'c1'), ())
    number, zero = np.arange(2, dtype=np.int32), np.zeros(2, np.int32)
    predictions = Predictions(number, zero, number, zero, number, zero, zero, np.eye(2))
    PredictionTable.of(predictions, names).write(other)
    recognition_results(predictions, names).write(other)
    runs = compare.read([other, finished(tmp_path / 'spots')])
    with pytest.raises(UserError, match='other .*spots .*one task') as error:
        compare.write(runs, tmp_path / 'out')
    assert '\n' not in str(error.value) and not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    ('case', 'words'),
    [
        ('unfinished', 'run.*results.json'),
        ('old', 'run.*format 1.*--workdir'),
        ('lacking', "results.json.*'data.labels'.*score"),
        ('all_rows', 'run.*protocol loso'),
        ('no_apexes', 'apexes.csv.*score'),
        ('other', 'apexes.csv.*results.json'),
        ('empty', 'apexes.csv.*results.json'),
        ('column', "apexes.csv.*'apex'.*score"),
        ('number', "apexes.csv, row 2: apex.*'soon'.*a whole number"),
    ],
)
def test_a_folder_that_cannot_be_compared_is_one_line(tmp_path, case, words):
    """A traceback would not tell which of twenty folders is at fault."""
    folder = finished(tmp_path / 'run')
    results, apexes = result_files.read(folder), folder / files.APEXES
    text = apexes.read_text()
    if case == 'old':
        (folder / files.CONFIG).write_text('{"settings": {}, "data": "print"}')
    if case == 'lacking':
        replace(results, data={'name': 'casme2/spotting'}).write(folder)
    if case == 'all_rows':
        replace(results, spotting={}).write(folder)
    apexes.write_text(
        {
            'other': text.replace(f',{APEX + 4},', f',{APEX + 5},'),
            'empty': text.partition('\n')[0] + '\n',
            'column': text.replace(',apex,', ',peak,'),
            'number': text.replace(f',{APEX},', ',soon,'),
        }.get(case, text)
    )
    if case in ('unfinished', 'no_apexes'):
        (folder / files.RESULTS if case == 'unfinished' else apexes).unlink()
    with pytest.raises(UserError, match=words) as error:
        compare.read([folder])
    assert '\n' not in str(error.value)


def test_no_jax_is_imported(tmp_path):
    """Tables are made on laptops that hold the runs but no jax."""
    printed = compare_without_jax(finished(tmp_path / 'run'), tmp_path / 'out')
    assert 'plots/errors.svg' in printed
