"""Label schemes: from annotated emotions to classes, per data set.

Beside those of SCHEMES, 'classes:a,b,c' names classes that are emotions as annotated.

The objective classes are made from action units instead (objective.py).

EXCLUDED lists clips that a scheme leaves out although their emotion has a class.
"""

import itertools
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

from mer_jax.data import Record, objective
from mer_jax.errors import UserError

TAGS = ('negative', 'others', 'positive', 'repression', 'surprise')  # of 4DME, several a clip
NO_CLASS = ''  # the key of emotions whose clips a scheme leaves out
OWN = 'frames_csv'  # the data set that a table of the user makes, with labels of any kind
# data sets whose clips have objective classes
WITH_UNITS = ('casme2', 'samm', 'synthetic', OWN)
NAMED = 'classes:'  # begins a list of classes
ANNOTATED = 'annotated'  # every emotion that occurs is a class, sorted
DEFAULT = 'megc3'  # of data.labels; for clips of OWN alone it stands for ANNOTATED
_FIVE_OBJECTIVE = ('I', 'II', 'III', 'IV', 'V')
# Clips with several tags have no class: choosing one of them would be a guess.
_SEVERAL_TAGS = ' '.join(
    '+'.join(tags) for count in range(2, 6) for tags in itertools.combinations(TAGS, count)
)

# scheme -> data set -> class -> emotions as annotated, separated by blanks. The order of the
# classes is that of the network's outputs. An emotion that a data set does not list here is an
# error. The emotions 'negative' and 'positive' occur because published features store the class in
# place of the emotion.
SCHEMES = {
    # MEGC2019 (See et al., FG 2019): 442 clips of CASME II (145), SAMM (133) and SMIC-HS (164)
    'megc3': {
        'casme2': {
            'negative': 'disgust repression negative',
            'positive': 'happiness positive',
            'surprise': 'surprise',
            NO_CLASS: 'others sadness fear',
        },
        'samm': {
            'negative': 'anger contempt disgust fear sadness negative',
            'positive': 'happiness positive',
            'surprise': 'surprise',
            NO_CLASS: 'other',
        },
        'smic': {'negative': 'negative', 'positive': 'positive', 'surprise': 'surprise'},
        'casme_squared': {
            'negative': 'negative',
            'positive': 'positive',
            'surprise': 'surprise',
            NO_CLASS: 'others',
        },
        # Not of MEGC2019, but by its rule: anger, contempt, disgust, fear, repression and sadness
        # are negative. Tense and others have no class.
        'casme': {
            'negative': 'contempt disgust fear repression sadness',
            'positive': 'amusement happiness',
            'surprise': 'surprise',
            NO_CLASS: 'tense',
        },
        'casme_cubed': {
            'negative': 'anger disgust fear sad',
            'positive': 'happy',
            'surprise': 'surprise',
            NO_CLASS: 'others',
        },
        'mmew': {
            'negative': 'anger disgust fear sadness',
            'positive': 'happiness',
            'surprise': 'surprise',
            NO_CLASS: 'others',
        },
        # 4DME tags repression beside negative, so that it is no part of that class here.
        'fourdme': {
            'negative': 'negative',
            'positive': 'positive',
            'surprise': 'surprise',
            NO_CLASS: f'others repression {_SEVERAL_TAGS}',
        },
        'synthetic': {
            'negative': 'disgust repression negative',
            'positive': 'happiness positive',
            'surprise': 'surprise',
            NO_CLASS: 'others',
        },
        # beside others: what the user calls disgust is not ours to judge
        OWN: {
            'negative': 'negative',
            'positive': 'positive',
            'surprise': 'surprise',
            NO_CLASS: 'others',
        },
    },
    # the emotions of which a data set has enough clips: CASME II 246 or 249 clips, SAMM 136
    'five': {
        'casme2': {
            'disgust': 'disgust',
            'happiness': 'happiness',
            'others': 'others',
            'repression': 'repression',
            'surprise': 'surprise',
            NO_CLASS: 'sadness fear',
        },
        'samm': {
            'anger': 'anger',
            'contempt': 'contempt',
            'happiness': 'happiness',
            'other': 'other',
            'surprise': 'surprise',
            NO_CLASS: 'disgust fear sadness',
        },
        'fourdme': {**{tag: tag for tag in TAGS}, NO_CLASS: _SEVERAL_TAGS},
        'synthetic': {
            'disgust': 'disgust',
            'happiness': 'happiness',
            'others': 'others',
            'repression': 'repression',
            'surprise': 'surprise',
        },
    },
    # 'five' of CASME II without 'others', the class that says least; of MMEW the four that public
    # code takes
    'four': {
        'casme2': {
            'disgust': 'disgust',
            'happiness': 'happiness',
            'repression': 'repression',
            'surprise': 'surprise',
            NO_CLASS: 'others sadness fear',
        },
        'mmew': {
            'disgust': 'disgust',
            'happiness': 'happiness',
            'others': 'others',
            'surprise': 'surprise',
            NO_CLASS: 'anger fear sadness',
        },
        'synthetic': {
            'disgust': 'disgust',
            'happiness': 'happiness',
            'repression': 'repression',
            'surprise': 'surprise',
            NO_CLASS: 'others',
        },
    },
    # all seven emotions of the sheet of CAS(ME)^3 (Li et al., IEEE TPAMI 2023)
    'seven': {
        'casme_cubed': {
            'anger': 'anger',
            'disgust': 'disgust',
            'fear': 'fear',
            'happy': 'happy',
            'others': 'others',
            'sad': 'sad',
            'surprise': 'surprise',
        },
    },
    # SAMER (Ruan et al., ACM MM 2022): as megc3, but clips of EXCLUDED['megc3'] stay, and
    # macro-expressions too: every clip whose emotion has a class is used
    'samer3': {
        'casme2': {
            'negative': 'disgust repression',
            'positive': 'happiness',
            'surprise': 'surprise',
            NO_CLASS: 'others sadness fear',
        },
        'samm': {
            'negative': 'anger contempt disgust fear sadness',
            'positive': 'happiness',
            'surprise': 'surprise',
            NO_CLASS: 'other',
        },
        'synthetic': {
            'negative': 'disgust repression',
            'positive': 'happiness',
            'surprise': 'surprise',
            NO_CLASS: 'others',
        },
    },
    # Irawan et al. 2024 (and MMNet on CASME II): fear and sadness are negative too. The papers do
    # not mention contempt (here negative, as in the other schemes) and others (here left out).
    'irawan3': {
        'casme2': {
            'negative': 'disgust repression sadness fear',
            'positive': 'happiness',
            'surprise': 'surprise',
            NO_CLASS: 'others',
        },
        'samm': {
            'negative': 'anger contempt disgust fear sadness',
            'positive': 'happiness',
            'surprise': 'surprise',
            NO_CLASS: 'other',
        },
        'smic': {'negative': 'negative', 'positive': 'positive', 'surprise': 'surprise'},
        'casme_squared': {
            'negative': 'negative',
            'positive': 'positive',
            'surprise': 'surprise',
            NO_CLASS: 'others',
        },
        'synthetic': {
            'negative': 'disgust repression',
            'positive': 'happiness',
            'surprise': 'surprise',
            NO_CLASS: 'others',
        },
    },
    # MEGC2018 (Yap et al., FG 2018): five of the seven objective classes
    'objective': dict.fromkeys(
        (*WITH_UNITS, 'casme_cubed'), {name: objective.CLASSES[name] for name in _FIVE_OBJECTIVE}
    ),
    # all seven, the last of which holds whatever the others do not (Davison et al. 2018)
    'objective7': dict.fromkeys((*WITH_UNITS, 'casme_cubed'), objective.CLASSES),
}
# What a scheme of SCHEMES stands for, as a clause of the log.
MEANINGS = {
    'megc3': 'the three classes of MEGC2019',
    'five': 'five emotions with enough clips',
    'four': 'four emotions with enough clips',
    'seven': 'all seven emotions of the sheet',
    'samer3': 'three classes by the rule of Ruan et al. 2022',
    'irawan3': 'three classes by the rule of Irawan et al. 2024: fear and sadness are negative',
    'objective': 'by action units: five classes of Davison et al. 2018',
    'objective7': 'by action units: seven classes of Davison et al. 2018',
}
# Schemes whose words are sets of action units.
BY_UNITS = ('objective', 'objective7')

_RELABELLED = 'MEGC2019 has the labels of the 2014 sheet, where this clip is sadness'

# scheme -> data set -> clip -> why it is left out although its emotion has a class
EXCLUDED = {
    'megc3': {
        'casme2': {
            'sub04_EP12_01f': 'not in the list of MEGC2019 (the sheet has no apex for it)',
            'sub05_EP09_05f': 'not in the list of MEGC2019 (its apex is its onset)',
            'sub24_EP02_07': 'not in the list of MEGC2019 (no edition of the sheet has it)',
            'sub24_EP07_01': _RELABELLED,
            'sub24_EP07_04f': _RELABELLED,
            'sub24_EP10_03': _RELABELLED,
        },
    },
}

# Schemes that leave out macro-expressions where a data set has them. irawan3 does not, because the
# number of three-class clips that others use for CAS(ME)^2 (206 in the code of MicroExpSTCNN, Reddy
# et al. 2019) includes macro-expressions.
MICRO_ONLY = ('megc3',)


class Scheme(NamedTuple):
    """The setting data.labels, parsed."""

    name: str  # a key of SCHEMES, ANNOTATED, or the text of a list of classes
    listed: tuple[str, ...] = ()  # the classes of that list


def parse(text: str, releases: Iterable[str] = ()) -> Scheme:
    """Parse data.labels.

    Args:
        text: a key of SCHEMES, ANNOTATED, or 'classes:a,b,c'.
        releases: the data sets of the experiment, such as 'casme2'.

    Returns:
        The scheme; ANNOTATED for DEFAULT and clips of the user alone: no scheme of a release knows
        their labels.

    Raises:
        UserError: a list of fewer than two classes, or one with an empty or repeated name.
    """
    if not text.startswith(NAMED):
        own_alone = {*releases} == {OWN}
        return Scheme(ANNOTATED if own_alone and text == DEFAULT else text)
    names = tuple(' '.join(name.split()) for name in text.removeprefix(NAMED).split(','))
    if '' in names or len({name.lower() for name in names}) < max(len(names), 2):
        raise UserError(
            f'data.labels is {text!r}; allowed: {NAMED}a,b,c with two names or more, each once'
        )
    return Scheme(text, names)


def apply(
    scheme: Scheme, records: Sequence[Record], *, count_as_first_class: bool = False
) -> tuple[list[Record], list[list[str]], tuple[str, ...]]:
    """Add the class to records by any scheme, and separate those without one.

    Args:
        scheme: parsed.
        records: as of `labelled`.
        count_as_first_class: as in `labelled`.

    Returns:
        The records with 'class'; all others as in `labelled`; and the classes, in order of the
        network's outputs.

    Raises:
        UserError: as in `labelled`.
    """
    if scheme.name in SCHEMES:
        kept, dropped = labelled(records, scheme.name, count_as_first_class=count_as_first_class)
        datasets = {record['dataset'] for record in kept}
        return kept, dropped, classes(scheme.name, datasets) if kept else ()
    default = scheme.listed[0] if count_as_first_class and scheme.listed else NO_CLASS
    kept, dropped = _separated(
        records, partial(_judge_as_annotated, scheme=scheme, default=default)
    )
    return kept, dropped, scheme.listed or tuple(sorted({record['class'] for record in kept}))


def check(scheme: Scheme, datasets: Sequence[str]) -> None:
    """Refuse a scheme that has no classes for these data sets.

    Args:
        scheme: parsed.
        datasets: names of the data sets.

    Raises:
        UserError: as `classes`.
    """
    if scheme.name in SCHEMES and datasets:
        classes(scheme.name, datasets)


def classes(scheme: str, datasets: Iterable[str]) -> tuple[str, ...]:
    """Return the classes of a scheme for several data sets.

    Args:
        scheme: of SCHEMES.
        datasets: names of the data sets.

    Raises:
        UserError: a data set has no classes in the scheme, or two have different ones; names the
            schemes that fit.
    """
    datasets = sorted(set(datasets))
    missing = [name for name in datasets if name not in SCHEMES[scheme]]
    if missing:
        raise UserError(
            f'data.labels {scheme!r} has no classes for {", ".join(missing)}; {_fitting(datasets)}'
        )
    of_data_set = {name: _names(scheme, name) for name in datasets}
    if len(set(of_data_set.values())) > 1:
        meanings = '; '.join(f'{name}: {", ".join(names)}' for name, names in of_data_set.items())
        raise UserError(
            f'data.labels {scheme!r} has different classes for these data sets ({meanings}), so '
            f'that they cannot be joined; {_fitting(datasets)}'
        )
    return of_data_set[datasets[0]]


def labelled(
    records: Sequence[Record], scheme: str, *, count_as_first_class: bool = False
) -> tuple[list[Record], list[list[str]]]:
    """Add the class to records, and separate those without one.

    Args:
        records: with clip, subject, dataset and emotion (as annotated; case and blanks do not
            matter), and kind ('micro' where it is absent); of BY_UNITS also action_units and
            action_units_known.
        scheme: of SCHEMES.
        count_as_first_class: whether an emotion without a class, or an unknown one, counts as the
            first
            class: a fault of published systems, which the leak audit measures.

    Returns:
        The records with 'class'; and [clip, subject, dataset, emotion, reason] of all others.

    Raises:
        UserError: as in `classes`; or an emotion that the scheme does not list for its data set; or
            a clip that is in one data set twice.
    """
    if records:
        classes(scheme, [record['dataset'] for record in records])
    return _separated(
        records, partial(_judge, scheme=scheme, count_as_first_class=count_as_first_class)
    )


def _separated(records, judge):
    """(records with a class, [clip, subject, dataset, emotion, reason] of all others)."""
    refuse_duplicates(records)
    kept, dropped = [], []
    for record in records:
        name, reason = judge(record)
        if reason:
            about = [record[key] for key in ('clip', 'subject', 'dataset', 'emotion')]
            dropped.append([*about, reason])
        else:
            kept.append({**record, 'class': name})
    return kept, dropped


def _judge(record, scheme, count_as_first_class):
    """Return (class, '') or ('', why it is dropped)."""
    clip, dataset = record['clip'], record['dataset']
    if scheme in BY_UNITS:
        return objective.judge(record, _classes_of_words(scheme, dataset), scheme)
    word = ' '.join(record['emotion'].lower().split())
    class_of_word = _classes_of_words(scheme, dataset)
    if count_as_first_class and not class_of_word.get(word):
        class_of_word[word] = _names(scheme, dataset)[0]
    # Never a default class unasked: a published system once made every unknown word happiness.
    if word not in class_of_word:
        raise UserError(
            f'clip {clip} of {dataset}: emotion {record["emotion"]!r} is not in data.labels '
            f'{scheme!r}; allowed: {", ".join(sorted(class_of_word))}{_elsewhere(word, dataset)}'
        )
    name = class_of_word[word]
    kind = record.get('kind', 'micro')
    if kind != 'micro' and scheme in MICRO_ONLY:
        return '', f'{scheme} has micro-expressions only, this is a {kind}-expression'
    if name == NO_CLASS:
        return '', f'{word} has no class in {scheme}'
    excluded = EXCLUDED.get(scheme, {}).get(dataset, {})
    return name, excluded.get(clip, '')


def _judge_as_annotated(record, scheme, default):
    """Return (class, '') or ('', why it is dropped), where emotions are the classes."""
    word = ' '.join(record['emotion'].split())
    if not scheme.listed:
        return word, ''
    class_of_word = {name.lower(): name for name in scheme.listed}
    name = class_of_word.get(word.lower(), default)
    return (name, '') if name else ('', f'{word} is not in data.labels {scheme.name}')


def _classes_of_words(scheme, dataset):
    """Return {emotion: class}, NO_CLASS where left out."""
    class_of_word = {}
    for name, words in SCHEMES[scheme][dataset].items():
        class_of_word |= dict.fromkeys(words.split(), name)
    return class_of_word


def _names(scheme, dataset):
    return tuple(name for name in SCHEMES[scheme].get(dataset, ()) if name != NO_CLASS)


def _fitting(datasets):
    """List the schemes that fit these data sets."""
    fitting = []
    for scheme in SCHEMES:
        names = {_names(scheme, name) for name in datasets}
        if len(names) == 1 and () not in names:
            fitting.append(scheme)
    by_name = f"'{NAMED}a,b,c' (emotions as annotated, in this order), {ANNOTATED} (all of them)"
    return f'data.labels that fit: {", ".join([*fitting, by_name])}'


def _elsewhere(word, dataset):
    """List other schemes that have an emotion, for a message.

    Such as those with 'negative' of published features.
    """
    others = []
    for scheme, data_sets in SCHEMES.items():
        if dataset in data_sets and word in _classes_of_words(scheme, dataset):
            others.append(scheme)
    return f'; data.labels that have it: {", ".join(others)}' if others else ''


def refuse_duplicates(records: Iterable[Record]) -> None:
    """Refuse a clip that is in one data set twice.

    Raises:
        UserError: names it.
    """
    seen = set()
    for record in records:
        key = record['dataset'], record['clip']
        if key in seen:
            raise UserError(
                f'clip {key[1]} of {key[0]} is in the data twice; a clip may be used once'
            )
        seen.add(key)
