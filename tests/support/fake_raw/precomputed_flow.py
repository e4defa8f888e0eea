"""Writes the published flow features in their official layout with random pictures; needs numpy and
OpenCV only.
"""

from pathlib import Path

import cv2
import numpy as np

EMOTIONS = ('negative', 'positive', 'surprise')
FLOW_SUBJECTS = {
    '006': (2, 1, 0),
    '011': (1, 1, 1),
    's01': (1, 0, 2),
    's20': (1, 1, 0),
    'sub01': (1, 1, 1),
}


def write_precomputed_flow(folder, *, subjects=FLOW_SUBJECTS, blank=' ', seed=0):
    """Writes `folder`/norm_u_v_os; `subjects` maps a name to its clips per class. Returns {clip id:
    truth}.

    Truth is (subject, emotion, uint8 [28, 28, 3] in file order R, G, B). Quirks: `blank` before
    .png, only class folders that occur, the other subjects' clips in u_train, and what operating
    systems leave behind.
    """
    rng, truth = np.random.default_rng(seed), {}
    root = Path(folder) / 'norm_u_v_os'
    for subject, counts in subjects.items():
        for label, count in enumerate(counts):
            for number in range(1, count + 1):
                name = flow_name(subject, label, number)
                image = rng.integers(0, 256, (28, 28, 3), dtype=np.uint8)
                write_png(
                    root / subject / 'u_test' / str(label) / f'{subject}_{name}{blank}.png', image
                )
                clip = name if name.startswith(subject) else f'{subject}_{name}'
                truth[clip] = (subject, EMOTIONS[label], image)
        write_png(root / subject / 'u_train' / '0' / f'x_another_subject{blank}.png', image)
        (root / subject / '.DS_Store').write_bytes(b'\0\0\0\1Bud1')
    (root / 'Thumbs.db').write_bytes(b'\xd0\xcf\x11\xe0')
    return truth


def flow_name(subject, label, number):
    """The clip's name as the data set of this subject has it: '006_1_2', 's01_ne_01',
    'EP02_01f'.
    """
    if subject.startswith('sub'):
        return f'EP{label + 1:02d}_{number:02d}f'
    if subject.startswith('s'):
        return f'{subject}_{("ne", "po", "sur")[label]}_{number:02d}'
    return f'{subject}_{label + 1}_{number}'


def write_png(path, rgb):
    """Writes uint8 [H, W, 3] in RGB order, or [H, W] grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = rgb[..., ::-1] if rgb.ndim == 3 else rgb
    encoded, data = cv2.imencode('.png', image)
    assert encoded
    path.write_bytes(data.tobytes())
