"""Complete sheets of every edition through reader and label schemes: the published counts, class by
class.
"""

import collections
from functools import partial

import pytest

from mer_jax.data import labels
from mer_jax.preprocess import action_units
from tests.support.fake_raw import casme2, casme_squared, composite, megc2019, samm, smic
from tfds_builders.casme2 import layout as casme2_layout
from tfds_builders.casme_squared import layout as casme_squared_layout
from tfds_builders.samm import layout as samm_layout
from tfds_builders.smic import layout as smic_layout

LAYOUTS = {
    'casme2': casme2_layout,
    'samm': samm_layout,
    'smic': smic_layout,
    'casme_squared': casme_squared_layout,
}


def read(name, folder, **options):
    """(clips, audit rows) as the builder reads them."""
    layout = LAYOUTS[name]
    chosen = {option: values[0] for option, values in layout.OPTIONS.items()} | options
    return layout.read(layout.find(folder), options=chosen)


def classes(clips, scheme):
    """{class: clips} of what the label scheme keeps."""
    kept, _ = labels.labelled([clip._asdict() for clip in clips], scheme)
    return dict(collections.Counter(record['class'] for record in kept))


@pytest.mark.parametrize(
    'edition,five,coarse,irawan',
    [
        (
            '2014',
            {'disgust': 63, 'happiness': 32, 'others': 99, 'repression': 27, 'surprise': 25},
            (90, 32, 25),
            None,
        ),
        (
            '2019',
            {'disgust': 63, 'happiness': 32, 'others': 99, 'repression': 27, 'surprise': 28},
            (90, 32, 28),
            156,
        ),
    ],
)
def test_casme2_counts_by_edition(edition, five, coarse, irawan, tmp_path):
    """246, 249 and 247 circulate; a result on the wrong list cannot be compared with any paper."""
    truth = casme2.write(tmp_path, size='full', edition=edition)
    clips, rows = read('casme2', truth.folder)
    assert len(clips) == 255 and {clip.edition for clip in clips} == {edition}
    assert (
        classes(clips, 'five') == five and sum(five.values()) == {'2014': 246, '2019': 249}[edition]
    )
    assert classes(clips, 'samer3') == dict(
        zip(('negative', 'positive', 'surprise'), coarse, strict=True)
    )
    assert classes(clips, 'megc3') == {'negative': 88, 'positive': 32, 'surprise': 25}
    if irawan:
        kept, _ = labels.labelled([clip._asdict() for clip in clips], 'irawan3')
        assert len(kept) == irawan and len({record['subject'] for record in kept}) == 25
    extra, _ = read('casme2', truth.folder, extra='ep02_07')
    assert classes(extra, 'five')['disgust'] == 64 and len(extra) == 256
    ignored = [row for row in rows if row.status == 'ignored']
    assert {part for row in ignored for part in ('EP02_02f', 'EP02_07') if part in row.file} == {
        'EP02_02f',
        'EP02_07',
    }


def test_samm_counts(tmp_path):
    """136 clips of 27 subjects in five classes, 133 of 28 in three; 159 rows in all."""
    clips, _ = read('samm', samm.write(tmp_path, size='full').folder)
    assert len(clips) == 159 and len({clip.subject for clip in clips}) == 29
    assert classes(clips, 'five') == {
        'anger': 57,
        'contempt': 12,
        'happiness': 26,
        'other': 26,
        'surprise': 15,
    }
    five, three = (
        labels.labelled([clip._asdict() for clip in clips], scheme)[0]
        for scheme in ('five', 'megc3')
    )
    assert (
        len({record['subject'] for record in five}) == 27
        and len({record['subject'] for record in three}) == 28
    )
    assert (
        classes(clips, 'samer3')
        == classes(clips, 'megc3')
        == {'negative': 92, 'positive': 26, 'surprise': 15}
    )


def test_smic_and_casme_squared_counts(tmp_path):
    """SMIC's three cameras; CAS(ME)^2's micro-expressions, with macro-expressions when asked for,
    and all of them in whole recordings.
    """
    smic_folder = smic.write(tmp_path / 'smic', size='full', parts=('HS', 'VIS', 'NIR')).folder
    for camera, counts in (('hs', (70, 51, 43)), ('vis', (23, 28, 20)), ('nir', (23, 28, 20))):
        clips, _ = read('smic', smic_folder, camera=camera)
        assert classes(clips, 'megc3') == dict(
            zip(('negative', 'positive', 'surprise'), counts, strict=True)
        )
    folder = casme_squared.write(tmp_path / 'squared', size='full').folder
    micro, rows = read('casme_squared', folder)
    assert (
        classes(micro, 'megc3') == {'negative': 21, 'positive': 8, 'surprise': 9}
        and len(micro) == 57
    )
    assert sum(row.status == 'dropped' and 'macro' in row.reason for row in rows) == 300
    every, _ = read('casme_squared', folder, macro='on')
    assert len(every) == 357 and sum(clip.kind == 'macro' for clip in every) == 300
    recordings, _ = casme_squared_layout.read_recordings(folder, options={'frames': 'raw'})
    kinds = collections.Counter(item.kind for record in recordings for item in record.intervals)
    assert len(recordings) == 95 and kinds == {'macro': 300, 'micro': 57}


def test_the_composite_is_the_442_clips_of_megc2019(tmp_path):
    """One clip more or less, or one subject's class counts off, and the composite is not
    MEGC2019's.
    """
    truth = composite.write(tmp_path, names=('casme2', 'samm', 'smic'), size='full')
    kept = []
    for name, release in truth.items():
        clips, _ = read(name, release.folder)
        found, _ = labels.labelled([clip._asdict() for clip in clips], 'megc3')
        wanted = megc2019.members(release)
        assert {record['clip'] for record in found} == set(wanted)
        kept += found
    assert (
        len(kept) == 442 and len({(record['dataset'], record['subject']) for record in kept}) == 68
    )
    assert dict(collections.Counter(record['class'] for record in kept)) == {
        'negative': 250,
        'positive': 109,
        'surprise': 83,
    }


@pytest.mark.parametrize(
    'name,writer',
    [
        ('casme2', partial(casme2.write, edition='2014')),
        ('samm', samm.write),
        ('casme_squared', casme_squared.write),
    ],
)
def test_every_action_unit_cell_is_read(name, writer, tmp_path):
    """A cell without units would call its clip motionless; the '?' and NULL cells are unknown, not
    absent.
    """
    clips, _ = read(
        name,
        writer(tmp_path, size='full').folder,
        **({'macro': 'on'} if name == 'casme_squared' else {}),
    )
    unknown = [clip for clip in clips if not clip.action_units_known]
    assert len(unknown) == {'casme2': 5, 'samm': 0, 'casme_squared': 11}[name]
    assert all(action_units.parse(clip.action_units) for clip in clips if clip.action_units_known)
