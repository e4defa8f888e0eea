"""Published figures: what the file holds, what cannot be, and where they stand in compare."""

import csv
import json

import pytest

from mer_jax import cli
from mer_jax.data.labels import SCHEMES
from mer_jax.errors import UserError
from mer_jax.evaluation.consistency import printed
from mer_jax.report import compare_tables, study
from mer_jax.studies import compare, published
from tests.studies.compare_spotting_test import finished as finished_spotter
from tests.studies.compare_test import finished

FOUR = ('disgust', 'happiness', 'repression', 'surprise')
COMPOSITE = 'casme2/flow+samm/flow+smic/flow'


@pytest.fixture(scope='module')
def figures():
    """All published figures."""
    return published.read()


def of(figures, source, system, part='', number=''):
    """The checks of one row, by its first words."""
    for table in figures.tables:
        for row in table.rows:
            wanted = table.source == source and (row.system, row.part) == (system, part)
            if wanted and number in table.number:
                return published.checks(figures, table, row)
    raise KeyError(system)


def failing(checks):
    """What does not hold, as one text."""
    return '; '.join(check.words for check in checks if not check.holds)


def test_every_row_has_figures_of_a_data_set_and_a_source_that_exist(figures):
    """A misspelt data set would never stand beside a run; a share above 1 would be a percentage."""
    datasets = set().union(*SCHEMES.values())
    assert {table.source for table in figures.tables} == figures.sources.keys()
    for table in figures.tables:
        assert {*table.data} <= datasets
        for row in table.rows:
            texts = [getattr(row, name) for name in published.FIGURES if getattr(row, name)]
            assert texts and all(0 < printed(text).value <= 1 for text in texts), row
            assert not row.part or row.part in table.data
            published.checks(figures, table, row)


def test_all_tables_that_are_named_are_there(figures):
    """A table left out would be quoted from the paper, unchecked."""
    numbers = {(table.source, table.number) for table in figures.tables}
    assert numbers >= {('irawan2024', f'Table {number}') for number in range(1, 5)}
    assert numbers >= {('koo2022', f'Table {number}') for number in range(5, 9)}
    assert numbers >= {('ruan2022', 'Table 3'), ('enhanced_hybrid', 'Section 5.2')}


def test_accuracies_of_the_3d_network_fit_no_clip_count(figures):
    """Four accuracies on one test set are shares of one number of clips."""
    for number in range(1, 5):
        found = of(figures, 'irawan2024', 'MER-3DCNNST', number=f'Table {number}')
        assert 'no number of clips' in failing(found)


def test_the_hybrid_cannot_have_18_perfect_subjects(figures):
    """Four errors, two of them in one subject, leave at most three with an error."""
    found = failing(of(figures, 'enhanced_hybrid', 'hybrid'))
    assert '18 of 22 subjects' in found and 'up to 3' in found
    assert '142 would, cut off' in found and 'repression prints as 92.0 %' in found
    assert '21 of 22' not in failing(of(figures, 'enhanced_hybrid', 'hybrid, augmented'))


def test_the_documentation_is_below_chance_and_below_the_largest_class(figures):
    """Its own confusion matrix gives its figures, and they are no achievement."""
    found = of(figures, 'hybrid_report', 'CNN, SVM')
    assert 'UAR is below chance' in failing(found) and '141 of 255' in failing(found)
    assert any(check.holds and 'accuracy 0.4627' in check.words for check in found)


def test_accuracy_of_ocnet_is_one_vs_rest(figures):
    """Its 78.53 % are 299 of 441 clips, 67.8 %, which its data sets sum to."""
    found = of(figures, 'koo2022', 'OC-Net')
    held = '; '.join(check.words for check in found if check.holds)
    assert 'each class against the rest' in failing(found)
    assert '299 of 441 clips' in held and 'sum to 299 of 441' in held
    assert 'largest class' in failing(of(figures, 'koo2022', 'OC-Net', part='samm'))


def test_the_dual_branch_agrees_with_itself_on_246_clips(figures):
    """Its Table 2 has 247 clips, of which no number gives 0.8333; SAMM fits."""
    found = of(figures, 'ruan2022', 'SAMER', number='Table 4')
    assert '205 of 246' in failing(found) and 'has 247' in failing(found)
    assert any(check.holds and 'Table 3 prints accuracy 0.833' in check.words for check in found)


def test_a_disagreement_between_two_tables_is_found(figures):
    """A figure that a source prints twice, and differently, is one that it does not know."""
    table = next(table for table in figures.tables if table.number == 'Table 7')
    row = published.Row('OC-Net', accuracy='78.60 %', f1='67.80 %')
    assert 'Table 6 prints accuracy 78.53 %' in failing(published.checks(figures, table, row))


def test_rows_match_by_data_set_and_number_of_classes(figures):
    """Five classes beside three would make every system of three look better."""
    three = published.matching(figures, ['casme2'], 3)
    assert {row['source'] for row in three} >= {'Irawan et al. 2024', 'Ruan et al. 2022 (SAMER)'}
    assert {row['data'] for row in three} == {'casme2'}
    assert not any('5 classes' in row['table'] for row in three)
    assert 0.833 not in [row['figures'].get('accuracy') for row in three]
    assert {row['part'] for row in published.matching(figures, ['samm'], 3)} == {'', 'samm'}
    composite = published.matching(figures, ['casme2', 'samm', 'smic'], 3)
    assert {row['data'] for row in composite} == {'casme2+samm+smic', 'casme2', 'samm', 'smic'}
    assert published.matching(figures, ['synthetic'], 3) == []


def test_compare_puts_them_below_measured_runs(tmp_path, capsys):
    """A reported figure that looks measured, or leaks without a mark, would be quoted as ours."""
    finished(tmp_path / 'casme2_hybrid', labels='four', classes=FOUR)
    finished(tmp_path / 'megc2019_ocnet', data=COMPOSITE, labels='megc3')
    finished(tmp_path / 'synthetic_net', data='synthetic_faces', labels='megc3')
    plain = compare.table(compare.read(str(tmp_path / '*_*')))
    command = ['compare', f'--runs={tmp_path}/*_*', '--published', f'--workdir={tmp_path}/out']
    assert cli.main(command) == 0
    text = capsys.readouterr().out
    found = json.loads((tmp_path / 'out/compare.json').read_text())
    # what was there before stays as it was
    for group, before in zip(found['groups'], plain['groups'], strict=True):
        assert {key: value for key, value in group.items() if key != 'published'} == before
    assert text.index('casme2_hybrid') < text.index(compare_tables.AS_REPORTED)
    assert '(!) CNN, SVM (as reported)' in text and '(!) OC-Net (as reported)' in text
    assert '18 of 22 subjects' in ' '.join(text.split())
    assert max(map(len, text[: text.index('compare: /')].splitlines())) <= 100
    with open(tmp_path / 'out/compare.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    ours = [row['run'] for row in rows if not row['as_reported']]
    assert ours == ['casme2_hybrid', 'megc2019_ocnet', 'synthetic_net']
    hybrid = next(row for row in rows if row['run'] == 'hybrid (as reported)')
    assert (hybrid['accuracy'], hybrid['printed']) == ('0.972', 'accuracy 97.2 %')
    assert (hybrid['honest'], hybrid['consistent'], hybrid['uf1']) == ('no', 'no', '')
    page = (tmp_path / 'out/compare.html').read_text()
    tex = (tmp_path / 'out/compare.tex').read_text()
    assert compare_tables.AS_REPORTED in page and r'OC-Net (as reported)$^\dagger$' in tex


def test_without_the_flag_nothing_is_said_of_them(tmp_path):
    """Tables of earlier papers must come out as they were."""
    found = compare.table(compare.read([finished(tmp_path / 'casme2_net')]))
    words = study.text(compare_tables.study(found))
    assert 'published' not in found['groups'][0] and 'as reported' not in words


def test_spotting_runs_have_no_published_figures(tmp_path):
    """Errors in frames beside accuracies would be nonsense."""
    folder = finished_spotter(tmp_path / 'spotter')
    with pytest.raises(UserError, match='--published: .*spot'):
        compare.compare(tmp_path / 'out', str(folder), with_published=True)


def test_the_flag_belongs_to_compare():
    """It would be ignored without a word."""
    with pytest.raises(UserError, match='--published belongs to the verb compare'):
        cli.parse(['audit', '--published'])
