"""Draws pictures of README and docs from a run on drawn faces; needs chromium.

    python main.py && python main.py explain
    python docs/draw_pictures.py runs/synthetic_dualbranch

The clip of au_cam.png is the first that was recognised, not the one whose map looks best.
"""

import csv
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

PICTURES = Path(__file__).parent / 'pictures'
WIDTH = 900  # pixels of a picture
TOP = '720,475'  # pixels of the report that are shown; a phone shows them at half the size
PLOTS = ('confusion.svg', 'subjects.svg')  # on docs/reading_report.md


def report(run: Path, path: Path) -> None:
    """The top of the report, as a browser shows it."""
    browser = ['chromium', '--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars']
    sharp = '--force-device-scale-factor=2'
    page = (run / 'report.html').resolve().as_uri()
    command = [*browser, sharp, f'--window-size={TOP}', f'--screenshot={path}', page]
    subprocess.run(command, check=True, capture_output=True)


def recognised(run: Path) -> Path:
    """The picture of the first explained clip that was recognised."""
    with open(run / 'explain' / 'index.csv', newline='') as file:
        rows = [row for row in csv.DictReader(file) if row['truth'] == row['predicted']]
    return run / 'explain' / rows[0]['file']


def save(source: Path, name: str) -> None:
    """Write a picture at the width of the README."""
    picture = Image.open(source).convert('RGB')
    height = round(picture.height * WIDTH / picture.width)
    picture.resize((WIDTH, height), Image.Resampling.LANCZOS).save(PICTURES / name, optimize=True)


def main() -> None:
    """Draw all pictures."""
    run = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / 'report.png'
        report(run, shot)
        save(shot, 'report.png')
    save(recognised(run), 'au_cam.png')
    for name in PLOTS:
        shutil.copy(run / 'plots' / name, PICTURES)


if __name__ == '__main__':
    main()
