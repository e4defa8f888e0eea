"""What is known of the licences of data sets, for those who pass a trained model on."""

from collections.abc import Sequence

# A model is no clip, but it was fitted to clips: what follows from that is for the owners to say.
_UNREAD = (
    'licensed by its owners; the text of its agreement was not seen by this project: read yours '
    'before you pass this file on'
)
LICENCES = {
    'casme2': (
        'CASME II, © Xiaolan Fu; second-hand: for research only, no redistribution of frames, '
        'crops or features made of them; read your agreement before you pass this file on'
    ),
    'frames_csv': (
        'recordings of the user who trained it, who alone knows what the recorded people agreed '
        'to: ask before you pass this file on'
    ),
    'synthetic': 'drawn faces of this project, Apache-2.0; nothing here was learned of real faces',
}


def notes(datasets: Sequence[str]) -> list[str]:
    """Return a note for each data set.

    Args:
        datasets: their names, as in Names.
    """
    return [f'{name}: {LICENCES.get(name, _UNREAD)}' for name in datasets]
