"""Every kind of page in a browser: on a phone, on screens, and on paper.

Chromium opens copies of the pages that measure themselves, and prints them; pypdfium2 reads the
prints.
"""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import mer_jax as mj
from mer_jax.report import (
    action_units_page,
    describe_page,
    prediction_page,
    recognition_page,
    spot_tables,
    spotting_page,
    study,
)
from mer_jax.runfiles import files
from mer_jax.studies import compare, describe, leaderboard, score_table
from tests.report.action_units_page_test import write as write_units
from tests.report.prediction_page_test import NOT_CLEAR, PICTURES
from tests.report.recognition_page_test import experiment, folder_of
from tests.report.spotting_page_test import write as write_spotting
from tests.studies.describe_test import record
from tests.studies.leaderboard_test import CONFIGS, LIMITS, cost, train
from tests.studies.python_audit_test import coded, nearest
from tests.support import predicted

BROWSER = shutil.which('chromium') or shutil.which('google-chrome')
pytestmark = [
    pytest.mark.docs,
    pytest.mark.skipif(not BROWSER, reason='needs chromium (Debian: apt-get install chromium)'),
]
WIDTHS = (360, 768, 1280)  # pixels of a phone, a tablet and a screen
PHONE = 360, 780  # pixels that are seen first
PAGES = (
    'recognition',
    'action_units',
    'spotting',
    'prediction',
    'describe',
    'audit',
    'compare',
    'compare_spotting',
    'compare_units',
    'leaderboard',
    'score',
    'spot',
)
LONG = 'megc2019_a_config_whose_name_is_long=even_longer, as people name their runs'
DARK = '--blink-settings=preferredColorScheme=0'
# Measures a page as it opens, and with all of its parts open.
PROBE = """
<script>addEventListener('load', () => {
  const root = document.documentElement;
  const tile = document.querySelector('.tile b, .verdict');
  const seen = {
    name: location.pathname.split('/').pop().replace('.html', ''),
    width: innerWidth,
    closed: root.scrollWidth,
    figure: tile.getBoundingClientRect().bottom,
    ground: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.body).color,
    broken: [...document.images].filter(image => !image.naturalWidth).length,
    dead: [...document.querySelectorAll('nav a')]
      .filter(link => !document.querySelector(link.getAttribute('href'))).length,
  };
  document.querySelectorAll('details').forEach(part => part.open = true);
  seen.open = root.scrollWidth;
  parent.postMessage(seen, '*');
})</script>
"""
FRAME = '<iframe width="%d" height="%d" style="border: 0" src="%s"></iframe>'
SEEN = """<pre id="seen"></pre><script>
const all = [];
addEventListener('message', event => {
  all.push(event.data);
  document.getElementById('seen').textContent = JSON.stringify(all);
})</script>"""


def _spot(folder):
    """spot.html of scores made by hand."""
    block = {'annotated': 9, 'spotted': 8, 'tp': 4, 'fp': 4, 'fn': 5}
    block |= {'precision': 0.5, 'recall': 4 / 9, 'f1': 8 / 17}
    result = {
        'source': 'intervals.csv',
        'data': 'casme_squared/spotting',
        'statement': 'as reported by its authors',
        'recordings': 3,
        'subjects': 2,
        'leaks': [],
        'scores': {'micro': block, 'macro': block, 'overall': block},
    }
    study.write(spot_tables.study(result), result, folder, plots=())
    return folder / 'spot.html'


def _described(folder):
    """describe.html of two data sets."""
    emotions = ('negative', 'negative', 'positive')
    records = [
        record('casme2', f'sub{subject:02d}', number, label)
        for subject in range(12)
        for number, label in enumerate(emotions)
    ]
    records += [record('smic', 's1', number, 'positive', fps=0.0) for number in (0, 1)]
    clips = describe.measured(records, 'casme2/flow+smic/flow')
    changed = [['a sheet.xlsx', 'repaired', 'the offset is before the apex', 'c1', '10', '20']]
    build = {
        'data_set': 'casme2/flow',
        'statuses': {'used': 36, 'repaired': 1},
        'kinds': [['repaired', 'the offset is before the apex', 1]],
        'rows': changed,
    }
    figures = describe.described(clips, ('negative', 'positive')) | {
        'name': LONG,
        'data': 'casme2/flow+smic/flow',
        'labels': 'megc3',
        'editions': [],
        'left_out': [],
        'build': [build],
        'missing': describe.missing(clips),
    }
    (folder / files.PLOTS).mkdir()
    describe_page.write(folder, figures, clips, [])
    return folder / 'describe.html'


@pytest.fixture(scope='module')
def pages(tmp_path_factory):
    """{name: path} of a page of every kind, by the product's writers."""
    root = tmp_path_factory.mktemp('pages')
    folders = {name: root / name for name in (*PAGES, 'other')}
    for name in {*PAGES} - {'spotting', 'audit'}:
        folders[name].mkdir()
    results, run, names = experiment()
    folder_of(folders['recognition'], results | {'name': LONG}, run, names)
    folders['other'].mkdir()
    leaks = ['protocol.name=clip_kfold: clips of one subject stand on both sides of the split']
    folder_of(folders['other'], *experiment(leaks=leaks))
    write_spotting(folders['spotting'])
    write_units(folders['action_units'], name=LONG, seeds=1, subjects=6, data_sets=2)
    write_units(folders['compare_units'] / 'other', seeds=1, subjects=6, data_sets=2, leaks=leaks)
    both = f'{folders["recognition"]},{folders["other"]}'
    compare.compare(folders['compare'], both, with_published=True)
    compare.compare(folders['compare_spotting'], str(folders['spotting']))
    both = f'{folders["action_units"]},{folders["compare_units"] / "other"}'
    compare.compare(folders['compare_units'], both)
    leaderboard.leaderboard(CONFIGS, folders['leaderboard'], LIMITS, train, cost)
    prepare = mj.Preparation(balance='oversample', scaler='standard')
    mj.audit(nearest, coded(), folder=folders['audit'], prepare=prepare)
    table = folders['recognition'] / files.PREDICTIONS
    score_table.score(None, folders['score'], '', str(table))
    content = predicted.predictions(
        predicted.recording(predicted.clip(), NOT_CLEAR, source='/films/a_long_name' * 4 + '.mp4'),
        predicted.recording(source='still.mp4', motion=None),
    )
    return {
        'recognition': recognition_page.report(folders['recognition']),
        'action_units': action_units_page.report(folders['action_units']),
        'spotting': spotting_page.report(folders['spotting']),
        'prediction': prediction_page.write(folders['prediction'], content, {(0, 0): PICTURES}),
        'describe': _described(folders['describe']),
        'audit': folders['audit'] / 'audit.html',
        'compare': folders['compare'] / 'compare.html',
        'compare_spotting': folders['compare_spotting'] / 'compare.html',
        'compare_units': folders['compare_units'] / 'compare.html',
        'leaderboard': folders['leaderboard'] / 'leaderboard.html',
        'score': folders['score'] / files.REPORT,
        'spot': _spot(folders['spot']),
    }


def _browse(*flags):
    """What Chromium prints."""
    command = [BROWSER, '--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def _seen(paths, folder, *flags):
    """What pages measure at each width, {(name, width): measures}."""
    frames = ''
    for name, path in paths.items():
        copy = folder / f'{name}.html'
        copy.write_text(path.read_text().replace('</head>', PROBE + '</head>', 1))
        frames += ''.join(FRAME % (width, PHONE[1], copy.name) for width in WIDTHS)
    outer = folder / 'frames.html'
    outer.write_text(SEEN + frames)
    text = _browse('--virtual-time-budget=60000', *flags, '--dump-dom', outer.as_uri())
    content = re.search('<pre id="seen">(.*?)</pre>', text)[1]
    return {(seen['name'], seen['width']): seen for seen in json.loads(html.unescape(content))}


@pytest.fixture(scope='module')
def seen(pages, tmp_path_factory):
    return _seen(pages, tmp_path_factory.mktemp('copies'))


@pytest.mark.parametrize('name', PAGES)
def test_nothing_overflows_at_any_width(name, seen):
    """A reader on a phone would miss the figures at the right, closed parts included."""
    for width in WIDTHS:
        page = seen[name, width]
        assert page['closed'] <= width and page['open'] <= width
        assert page['broken'] == page['dead'] == 0, 'a picture or a link of the contents is broken'


@pytest.mark.parametrize('name', sorted({*PAGES} - {'prediction'}))
def test_the_main_figure_is_seen_first(name, seen):
    """On a phone the score stood three screens below the settings; a prediction begins with what it
    is not.
    """
    assert seen[name, PHONE[0]]['figure'] <= PHONE[1]


def test_a_dark_page_is_dark(pages, tmp_path):
    """White text on white: a page whose ground alone, or ink alone, follows the reader's choice."""
    page = _seen({'audit': pages['audit']}, tmp_path, DARK)['audit', 768]
    ground, ink = (
        np.mean([int(value) for value in re.findall(r'\d+', page[key])[:3]])
        for key in ('ground', 'ink')
    )
    assert ground < 40 and ink > 200


@pytest.fixture(scope='module')
def prints(pages, tmp_path_factory):
    """{name: pages of its print}, printed by a reader who prefers dark pages."""
    pdfium = pytest.importorskip('pypdfium2', reason='needs pypdfium2 (requirements-dev.txt)')
    folder = tmp_path_factory.mktemp('prints')
    printed = {}
    for name, path in pages.items():
        target = folder / f'{name}.pdf'
        _browse(DARK, '--no-pdf-header-footer', f'--print-to-pdf={target}', path.as_uri())
        printed[name] = list(pdfium.PdfDocument(target))
    return printed


@pytest.mark.parametrize('name', PAGES)
def test_no_printed_page_is_white_or_dark(name, prints):
    """What must not break over two pages leaves the rest of a page white."""
    for number, page in enumerate(prints[name], 1):
        grey = page.render(scale=0.5, grayscale=True).to_numpy().reshape(-1)
        grey = grey.reshape(round(page.get_height() * 0.5), -1)
        assert (grey > 250).mean() > 0.5 and grey[0, 0] > 250, f'page {number} is not of paper'
        inked = np.flatnonzero((grey < 200).any(1))
        # The last may end early.
        needed = 0.35 * len(grey) if number < len(prints[name]) else 0
        assert len(inked) and inked[-1] > needed, f'page {number} is nearly white'


@pytest.mark.parametrize('name', PAGES)
def test_closed_parts_are_printed_and_nothing_is_cut(name, pages, prints):
    """Paper has nothing to click on, and no way to scroll."""
    words = ''
    for page in prints[name]:
        text, width = page.get_textpage(), page.get_width()
        words += text.get_text_range()
        edges = [text.get_rect(place)[2] for place in range(text.count_rects())]
        assert max(edges) < width, 'words leave the paper'
    squeezed = re.sub(r'\s', '', words)
    for part in re.findall('<details>.*?</details>', pages[name].read_text(), re.DOTALL):
        last = html.unescape(re.findall('<div>([^<]+)', part)[-1])
        assert re.sub(r'\s', '', last) in squeezed
