"""Frames in 16-bit files: brightness by the depth that the whole release fills."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

import tfds_builders
from mer_jax import machine
from tests.tfds_builders.casme2_layout_test import OTHER, PLAIN, release

RAMP = np.linspace(0, 1, 64).reshape(8, 8)  # of the picture's range


def grey(largest):
    return np.round(RAMP * largest).astype(np.uint16)


def coloured(largest):
    return np.repeat(grey(largest)[..., None], 3, axis=-1)


def transparent(largest):
    return np.dstack([coloured(largest), np.full((8, 8), 65535, np.uint16)])


def with_one_bright_pixel(usual, largest):
    image = grey(usual)
    image[0, 0] = largest
    return image


CASES = {  # name -> (pictures of both clips, bits, what white (1) of the first clip becomes)
    '8 bits': ([grey(255), grey(255)], 8, 255),
    '10 bits': ([grey(1023), grey(1023)], 10, 255),
    '12 bits': ([grey(4095), grey(4095)], 12, 255),
    '14 bits': ([grey(16383), grey(9000)], 14, 255),
    '16 bits': ([grey(65535), grey(65535)], 16, 255),
    'one bit more than 10': ([grey(1023), grey(1024)], 12, 64),
    'dark clip of 10 bits': ([grey(200), grey(1000)], 10, 50),
    'one bright pixel': ([grey(4095), with_one_bright_pixel(300, 60000)], 16, 16),
    'colour of 10 bits': ([coloured(1023), coloured(700)], 10, 255),
    'transparency does not count': ([transparent(4095), grey(4095)], 12, 255),
    'beside bytes': ([grey(255).astype(np.uint8), grey(1023)], 10, 255),
}


@pytest.mark.parametrize('case', CASES)
def test_brightness_of_16_bit_files(case, tmp_path, monkeypatch):
    """If this fails, frames of 10 bits are black, or clips of one release differ in scale."""
    monkeypatch.setattr(machine, 'cores', lambda: 1)
    pictures, bits, white = CASES[case]
    release(tmp_path / 'raw', [PLAIN, OTHER], file='reg_img{}.png')
    for subject, picture in zip(('sub01', 'sub02'), pictures, strict=True):
        content = cv2.imencode('.png', picture)[1].tobytes()
        for path in (tmp_path / 'raw/Cropped' / subject).rglob('*.png'):
            path.write_bytes(content)
    builder = tfds_builders.prepare(
        'casme2/video',
        data_dir=tmp_path / 'data',
        manual_dir=tmp_path / 'raw',
        progress=False,
    )
    first, _ = tfds_builders.records(builder)
    wanted = cv2.resize(
        np.round(RAMP * white).astype(np.uint8), (128, 128), interpolation=cv2.INTER_LINEAR
    )
    assert np.abs(first['frames'][0].astype(int) - wanted).max() <= 2
    with open(Path(builder.data_dir) / 'audit.csv', newline='') as file:
        (row,) = [row for row in csv.DictReader(file) if '16-bit' in row['reason']]
    assert row['new'] == f'{bits} bits' and row['status'] == 'repaired'
    assert (
        row['file'].endswith('.png')
        and str(max(map(np.max, colours_of(pictures)))) in row['reason']
    )


def colours_of(pictures):
    """The colours of the 16-bit pictures, without transparency."""
    deep = [picture for picture in pictures if picture.dtype == np.uint16]
    return [picture[..., :3] if picture.ndim == 3 else picture for picture in deep]
