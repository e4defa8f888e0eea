"""Label schemes against the counts of the published lists, on complete made-up lists of the four
releases.
"""

from collections import Counter

import pytest

from mer_jax.data import labels
from mer_jax.errors import UserError
from tests.support.messages import mentions

# Clips per subject in the list of MEGC2019: negative, positive, surprise.
CASME2 = {
    1: (2, 1, 0),
    2: (5, 1, 3),
    3: (4, 0, 1),
    4: (2, 0, 0),
    5: (0, 1, 5),
    6: (1, 1, 2),
    7: (5, 0, 0),
    8: (1, 0, 0),
    9: (5, 5, 0),
    11: (4, 0, 0),
    12: (5, 2, 4),
    13: (0, 2, 0),
    14: (0, 3, 0),
    15: (1, 1, 1),
    16: (1, 2, 0),
    17: (23, 7, 1),
    19: (3, 3, 5),
    20: (2, 0, 0),
    21: (1, 0, 0),
    22: (2, 0, 0),
    23: (7, 1, 0),
    24: (2, 0, 1),
    25: (3, 0, 2),
    26: (9, 2, 0),
}
SAMM = {
    6: (9, 0, 2),
    7: (1, 5, 2),
    9: (3, 0, 1),
    10: (4, 0, 0),
    11: (13, 7, 0),
    12: (2, 0, 1),
    13: (6, 0, 0),
    14: (2, 7, 1),
    15: (2, 0, 1),
    16: (2, 1, 2),
    17: (3, 0, 1),
    18: (2, 0, 1),
    19: (0, 1, 0),
    20: (2, 2, 0),
    21: (2, 0, 0),
    22: (3, 2, 0),
    23: (1, 0, 0),
    24: (1, 0, 0),
    26: (9, 0, 0),
    28: (1, 0, 2),
    30: (3, 0, 0),
    31: (1, 0, 0),
    32: (4, 0, 0),
    33: (4, 1, 0),
    34: (3, 0, 0),
    35: (7, 0, 1),
    36: (1, 0, 0),
    37: (1, 0, 0),
}
SMIC = {
    1: (3, 2, 1),
    2: (0, 1, 5),
    3: (22, 11, 6),
    4: (10, 4, 5),
    5: (1, 0, 1),
    6: (2, 0, 2),
    8: (9, 4, 0),
    9: (0, 1, 3),
    11: (3, 3, 1),
    12: (0, 8, 1),
    13: (0, 10, 0),
    14: (3, 2, 5),
    15: (1, 1, 2),
    18: (2, 0, 5),
    19: (0, 1, 1),
    20: (14, 3, 5),
}

# Clips per subject of the CASME II list that SAMER published (246, five classes) and of the SAMM
# sheet (159).
CASME2_246 = {
    17: 33,
    5: 19,
    26: 16,
    19: 15,
    2: 13,
    9: 13,
    10: 13,
    12: 12,
    23: 12,
    20: 11,
    11: 10,
    24: 10,
    1: 9,
    7: 9,
    13: 8,
    25: 7,
    3: 6,
    4: 5,
    6: 5,
    14: 4,
    16: 4,
    8: 3,
    18: 3,
    15: 2,
    21: 2,
    22: 2,
}
SAMM_159 = {
    11: 20,
    26: 13,
    6: 11,
    14: 11,
    7: 10,
    20: 9,
    35: 9,
    13: 6,
    17: 6,
    32: 6,
    16: 5,
    22: 5,
    33: 5,
    9: 4,
    10: 4,
    18: 4,
    25: 4,
    12: 3,
    15: 3,
    19: 3,
    28: 3,
    30: 3,
    34: 3,
    37: 3,
    21: 2,
    23: 1,
    24: 1,
    31: 1,
    36: 1,
}

RELABELLED = ('sub24_EP07_01', 'sub24_EP07_04f', 'sub24_EP10_03')
NEVER = ('sub04_EP12_01f', 'sub05_EP09_05f')
FEAR = ('sub09_EP13_02', 'sub10_EP13_01')
SADNESS = ('sub17_EP15_01', 'sub17_EP15_03', 'sub19_EP19_04', 'sub26_EP15_01')


def record(clip, emotion, dataset, **extra):
    return {
        'clip': clip,
        'subject': clip.split('_')[0],
        'dataset': dataset,
        'emotion': emotion,
    } | extra


def casme2(edition):
    """The 255 clips of the sheet: literal where a list is famous for a clip, invented names
    elsewhere.
    """
    words = ['repression'] * 27 + ['disgust'] * 61
    relabelled = 'surprise' if edition == '2019' else 'sadness'
    named = {'disgust': NEVER, 'fear': FEAR, 'sadness': SADNESS}
    rows = [(clip, emotion) for emotion, clips in named.items() for clip in clips]
    rows += [(clip, relabelled) for clip in RELABELLED]
    for subject, (negative, positive, surprise) in CASME2.items():
        emotions = (
            [words.pop() for _ in range(negative)]
            + ['happiness'] * positive
            + ['surprise'] * surprise
        )
        rows += [(f'sub{subject:02}_EP01_{k:02}x', emotion) for k, emotion in enumerate(emotions)]
    gone = {3: 1, 15: 1, 17: 1}  # surprise clips of the sheet that are not among the 246
    for subject, count in CASME2_246.items():
        here = sum(
            clip.startswith(f'sub{subject:02}') and clip not in FEAR + SADNESS for clip, _ in rows
        )
        rows += [
            (f'sub{subject:02}_EP99_{k:02}', 'others')
            for k in range(count - here + gone.get(subject, 0))
        ]
    return [record(clip, emotion, 'casme2', edition=edition) for clip, emotion in rows]


def samm():
    """The 159 clips of the sheet: 'Other' fills up each subject; 024 and 036 have no clip in scheme
    five.
    """
    rare = {24: ['Fear'], 36: ['Sadness'], 26: ['Disgust'] * 9, 11: ['Fear'] * 7 + ['Sadness'] * 5}
    words, rows = ['Contempt'] * 12 + ['Anger'] * 57, []
    for subject, total in SAMM_159.items():
        negative, positive, surprise = SAMM.get(subject, (0, 0, 0))
        mine = rare.get(subject, [])
        emotions = mine + [words.pop() for _ in range(negative - len(mine))]
        emotions += ['Happiness'] * positive + ['Surprise'] * surprise
        emotions += ['Other'] * (total - len(emotions))
        rows += [
            record(f'{subject:03}_1_{k}', emotion, 'samm') for k, emotion in enumerate(emotions)
        ]
    return rows


def smic():
    return [
        record(f's{subject:02}_{word[:2]}_{k:02}', word, 'smic')
        for subject, counts in SMIC.items()
        for word, count in zip(('negative', 'positive', 'surprise'), counts, strict=True)
        for k in range(count)
    ]


def casme_squared(*, macro):
    """57 micro-expressions and, where asked for, the 300 macro-expressions, by valence."""
    counts = {
        'micro': {'negative': 21, 'positive': 8, 'others': 19, 'surprise': 9},
        'macro': {'negative': 105, 'positive': 116, 'others': 63, 'surprise': 16},
    }
    return [
        record(f's{15 + k % 14}_{word}{kind}_{k}', word, 'casme_squared', kind=kind)
        for kind, words in counts.items()
        if kind == 'micro' or macro
        for word, count in words.items()
        for k in range(count)
    ]


# the 64th disgust clip, which no edition of the sheet has
EXTRA = record('sub24_EP02_07', 'disgust', 'casme2')


def counts(records, scheme):
    kept, dropped = labels.labelled(records, scheme)
    assert len(kept) + len(dropped) == len(records)
    return dict(Counter(row['class'] for row in kept))


def subjects(records, scheme):
    return len({(row['dataset'], row['subject']) for row in labels.labelled(records, scheme)[0]})


def test_the_lists_of_this_test_have_the_totals_of_the_sheets():
    """A mistyped list here would make every other count below worthless."""
    for edition, surprise, sadness in (('2014', 25, 7), ('2019', 28, 4)):
        assert Counter(row['emotion'] for row in casme2(edition)) == {
            'others': 99,
            'disgust': 63,
            'happiness': 32,
            'repression': 27,
            'surprise': surprise,
            'sadness': sadness,
            'fear': 2,
        }
        assert len({row['subject'] for row in casme2(edition)}) == 26
    assert Counter(row['emotion'] for row in samm()) == {
        'Anger': 57,
        'Happiness': 26,
        'Other': 26,
        'Surprise': 15,
        'Contempt': 12,
        'Disgust': 9,
        'Fear': 8,
        'Sadness': 6,
    }
    assert len({row['subject'] for row in samm()}) == 29 and len(smic()) == 164
    assert len(casme_squared(macro=False)) == 57 and len(casme_squared(macro=True)) == 357


@pytest.mark.parametrize('edition', ['2014', '2019'])
def test_the_composite_is_that_of_megc2019(edition):
    """442 clips and 68 subjects from either edition of the sheet: what composite results are
    measured on.
    """
    records = casme2(edition) + samm() + smic()
    kept, dropped = labels.labelled(records, 'megc3')
    assert Counter(row['class'] for row in kept) == {
        'negative': 250,
        'positive': 109,
        'surprise': 83,
    }
    assert Counter(row['dataset'] for row in kept) == {'casme2': 145, 'samm': 133, 'smic': 164}
    per_subject = Counter((row['subject'], row['class']) for row in kept)
    for known, name in ((CASME2, 'sub{:02}'), (SAMM, '{:03}'), (SMIC, 's{:02}')):
        for subject, expected in known.items():
            found = tuple(
                per_subject[name.format(subject), c] for c in ('negative', 'positive', 'surprise')
            )
            assert found == expected, subject
    assert subjects(records, 'megc3') == 68 and len(dropped) == 255 + 159 + 164 - 442
    reasons = {row[0]: row[4] for row in dropped}
    assert 'no apex' in reasons[NEVER[0]] and 'apex is its onset' in reasons[NEVER[1]]
    relabelled = '2014 sheet' if edition == '2019' else 'sadness has no class in megc3'
    assert all(relabelled in reasons[clip] for clip in RELABELLED)


def test_published_features_carry_classes_for_emotions():
    """The 28x28 features say 'negative' where the sheet says 'disgust'; they must load as the same
    442 clips.
    """
    coarse = [
        {**row, 'emotion': row['class']}
        for row in labels.labelled(casme2('2014') + samm() + smic(), 'megc3')[0]
    ]
    assert counts(coarse, 'megc3') == {'negative': 250, 'positive': 109, 'surprise': 83}
    with pytest.raises(UserError, match="emotion 'negative'.*data.labels 'five'.*megc3"):
        labels.labelled([row for row in coarse if row['dataset'] == 'casme2'], 'five')


def test_five_classes():
    """246, 249 or 247 by edition, and SAMM's 136 of 27 subjects: a wrong edition or lost class
    shows here.
    """
    five = {'others': 99, 'disgust': 63, 'happiness': 32, 'repression': 27, 'surprise': 25}
    assert counts(casme2('2014'), 'five') == five and sum(five.values()) == 246
    assert (
        counts(casme2('2019'), 'five') == five | {'surprise': 28}
        and subjects(casme2('2019'), 'five') == 26
    )
    assert counts(casme2('2014') + [EXTRA], 'five') == five | {'disgust': 64}
    assert counts(samm(), 'five') == {
        'anger': 57,
        'happiness': 26,
        'other': 26,
        'surprise': 15,
        'contempt': 12,
    }
    assert subjects(samm(), 'five') == 27


def test_four_classes():
    """CASME II without others: 147 or 150."""
    four = {'disgust': 63, 'happiness': 32, 'repression': 27, 'surprise': 25}
    assert counts(casme2('2014'), 'four') == four and sum(four.values()) == 147
    assert counts(casme2('2019'), 'four') == four | {'surprise': 28}
    assert labels.classes('four', ['casme2']) == ('disgust', 'happiness', 'repression', 'surprise')


def test_samer_three_classes():
    """147 or 150 and 133: one clip in or out, and accuracies in percent no longer compare with the
    paper's.
    """
    assert counts(casme2('2014'), 'samer3') == {'negative': 90, 'positive': 32, 'surprise': 25}
    assert counts(casme2('2019'), 'samer3') == {'negative': 90, 'positive': 32, 'surprise': 28}
    assert subjects(casme2('2014'), 'samer3') == 24
    assert counts(samm(), 'samer3') == {'negative': 92, 'positive': 26, 'surprise': 15}
    assert subjects(samm(), 'samer3') == 28


def test_irawan_three_classes():
    """156 clips of 25 subjects: fear and sadness count as negative, so both editions give the same
    total.
    """
    assert counts(casme2('2019'), 'irawan3') == {'negative': 96, 'positive': 32, 'surprise': 28}
    assert counts(casme2('2014'), 'irawan3') == {'negative': 99, 'positive': 32, 'surprise': 25}
    assert subjects(casme2('2019'), 'irawan3') == 25
    assert counts(samm(), 'irawan3') == {'negative': 92, 'positive': 26, 'surprise': 15}
    assert counts(smic(), 'irawan3') == {'negative': 70, 'positive': 51, 'surprise': 43}


def test_macro_expressions_are_kept_only_where_the_protocol_has_them():
    """300 macro-expressions beside 57 micro-expressions would decide every result of a
    micro-expression benchmark.
    """
    micro = {'negative': 21, 'positive': 8, 'surprise': 9}
    assert (
        counts(casme_squared(macro=False), 'megc3')
        == counts(casme_squared(macro=True), 'megc3')
        == micro
    )
    assert counts(casme_squared(macro=False), 'irawan3') == micro
    assert counts(casme_squared(macro=True), 'irawan3') == {
        'negative': 126,
        'positive': 124,
        'surprise': 25,
    }
    reasons = {row[4] for row in labels.labelled(casme_squared(macro=True), 'megc3')[1]}
    assert reasons == {
        'megc3 has micro-expressions only, this is a macro-expression',
        'others has no class in megc3',
    }


def test_the_extra_clip_is_not_in_megc2019():
    """With the optional 64th disgust clip the composite would silently have 443 clips."""
    kept, dropped = labels.labelled([EXTRA], 'megc3')
    assert kept == [] and dropped == [
        [
            'sub24_EP02_07',
            'sub24',
            'casme2',
            'disgust',
            'not in the list of MEGC2019 (no edition of the sheet has it)',
        ]
    ]


def test_kept_records_keep_what_they_held():
    """A record that loses its arrays, or is changed in place, would break a second use of the same
    list.
    """
    row = record('006_1_2', '  ANGER ', 'samm', flow='array')
    kept, _ = labels.labelled([row], 'five')
    assert kept == [{**row, 'class': 'anger'}] and 'class' not in row
    assert labels.labelled([], 'five') == ([], [])


def test_class_order_and_composites():
    """A network's outputs are numbered by this order; two data sets with other classes must never
    share it.
    """
    three = ('negative', 'positive', 'surprise')
    assert (
        labels.classes('megc3', ['smic', 'casme2', 'samm', 'casme_squared', 'synthetic']) == three
    )
    assert (
        labels.classes('irawan3', ['smic']) == labels.classes('samer3', ['samm', 'casme2']) == three
    )
    of_casme2 = ('disgust', 'happiness', 'others', 'repression', 'surprise')
    assert labels.classes('five', ['synthetic', 'casme2']) == of_casme2
    assert labels.classes('five', ['samm']) == (
        'anger',
        'contempt',
        'happiness',
        'other',
        'surprise',
    )


@pytest.mark.parametrize(
    'scheme, datasets, message',
    [
        (
            'five',
            ['samm', 'casme2'],
            "'five' ... casme2: disgust, happiness, others, repression, surprise ... "
            'samm: anger, contempt, happiness, other, surprise ... megc3, samer3, irawan3, '
            'objective, objective7',
        ),
        (
            'samer3',
            ['smic', 'samm'],
            "data.labels 'samer3' ... smic ... megc3, irawan3",
        ),
        (
            'four',
            ['samm'],
            "data.labels 'four' ... samm ... megc3, five, samer3, irawan3, objective, objective7",
        ),
        ('megc3', ['other_set'], "data.labels 'megc3' ... other_set"),
    ],
)
def test_a_scheme_that_does_not_fit_names_those_that_do(scheme, datasets, message):
    """Whoever combines data sets must learn which schemes can be combined, not just that this one
    cannot.
    """
    with pytest.raises(UserError) as error:
        labels.classes(scheme, datasets)
    assert mentions(str(error.value), message), error.value
    with pytest.raises(UserError):
        labels.labelled([record('a', 'disgust', name) for name in datasets], scheme)


def test_an_unknown_emotion_is_an_error_and_never_class_0():
    """The default-label bug of a published system: every unknown word became 'happiness'."""
    with pytest.raises(UserError) as error:
        labels.labelled([record('sub01_EP02_01f', 'tense', 'casme2')], 'megc3')
    assert mentions(
        str(error.value),
        "sub01_EP02_01f ... casme2 ... 'tense' ... data.labels 'megc3' ... disgust, fear, "
        'happiness, negative, others, positive, repression, sadness, surprise',
    )
    with pytest.raises(UserError, match="emotion 'repression'.*data.labels 'five'"):
        labels.labelled([record('006_1_2', 'repression', 'samm')], 'five')  # known to CASME II only


def test_clips_without_a_class_count_as_the_first_one_only_when_asked():
    """The habit that the audit measures: 141 clips of happiness, of which CASME II has 32."""
    records = casme2('2019')
    kept, dropped = labels.labelled(records, 'four', count_as_first_class=True)
    assert not dropped and len(kept) == len(records) == 255
    honest, _ = labels.labelled(records, 'four')
    more = Counter(row['class'] for row in kept) - Counter(row['class'] for row in honest)
    assert more == {labels.classes('four', ['casme2'])[0]: len(kept) - len(honest)}
    (tense,), _ = labels.labelled(
        [record('sub01_EP02_01f', 'tense', 'casme2')], 'megc3', count_as_first_class=True
    )
    assert tense['class'] == 'negative'
    # what a list leaves out although it has a class stays out
    assert labels.labelled([EXTRA], 'megc3', count_as_first_class=True)[0] == []


def test_a_clip_that_stands_twice_is_an_error():
    """The same clip twice counts double and can stand on both sides of a split, also where one is
    dropped.
    """
    with pytest.raises(UserError, match='clip a of smic'):
        labels.labelled([record('a', 'negative', 'smic')] * 2, 'megc3')
    with pytest.raises(UserError, match='clip a of casme2'):
        labels.labelled(
            [record('a', 'others', 'casme2'), record('a', 'disgust', 'casme2')], 'megc3'
        )
    labels.labelled([record('a', 'negative', 'smic'), record('a', 'negative', 'samm')], 'megc3')


def test_no_word_has_two_classes_and_all_schemes_know_the_same_emotions():
    """A word listed twice would silently belong to the last class; a forgotten one would stop a
    whole run.
    """
    words = {}
    of_emotions = [scheme for scheme in labels.SCHEMES if scheme not in labels.BY_UNITS]
    for scheme in of_emotions:
        for dataset, table in labels.SCHEMES[scheme].items():
            listed = ' '.join(table.values()).split()
            assert len(listed) == len(set(listed)), (scheme, dataset)
            coarse = set() if dataset in ('smic', 'casme_squared') else {'negative', 'positive'}
            words.setdefault(dataset, set(listed) - coarse)
            assert words[dataset] == set(listed) - coarse, (scheme, dataset)


def test_the_log_explains_every_scheme():
    """A name such as samer3 says nothing to a reader who meets it in the log."""
    assert set(labels.MEANINGS) == set(labels.SCHEMES)


ROWS = [record('a', 'Joy', labels.OWN), record('b', 'fear', labels.OWN)]
LISTED = [  # (data.labels, data sets, classes of ROWS, clips that are left out)
    (labels.DEFAULT, [labels.OWN], ('Joy', 'fear'), []),
    (labels.ANNOTATED, [labels.OWN, 'samm'], ('Joy', 'fear'), []),
    ('classes:fear, joy', [labels.OWN], ('fear', 'joy'), []),
    ('classes:calm,fear', [labels.OWN], ('calm', 'fear'), ['a']),
]


@pytest.mark.parametrize('text, releases, classes, left_out', LISTED)
def test_labels_of_the_user_become_classes(text, releases, classes, left_out):
    """Another order of the classes would swap the outputs of a network."""
    kept, dropped, titles = labels.apply(labels.parse(text, releases), ROWS)
    assert titles == classes
    assert [row[0] for row in dropped] == left_out
    assert {row['class'] for row in kept} <= {*classes}


@pytest.mark.parametrize('text', ['classes:', 'classes:a', 'classes:a,', 'classes:a,A'])
def test_a_list_of_classes_that_separates_nothing_is_refused(text):
    """A network with one output would learn nothing, and score 1."""
    with pytest.raises(UserError, match='classes:a,b,c'):
        labels.parse(text)


def test_a_scheme_of_a_release_does_not_judge_own_labels_beside_it():
    """What a user calls joy is guessed to be happiness nowhere."""
    scheme = labels.parse(labels.DEFAULT, [labels.OWN, 'samm'])
    with pytest.raises(UserError, match='Joy.*negative, others, positive'):
        labels.apply(scheme, ROWS)
