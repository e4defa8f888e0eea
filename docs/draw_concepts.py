"""Draws the figures of docs/concepts.md into docs/concepts/: drawn faces and schemes.

    python docs/draw_concepts.py

The curves of oracle_epoch.svg were measured. This takes them from a run of COMMAND:

    python docs/draw_concepts.py RUN
"""

import csv
import sys
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from mer_jax.preprocess import flow  # noqa: E402
from mer_jax.preprocess.synthetic import clips  # noqa: E402
from mer_jax.runfiles.epoch_outputs import EpochOutputs  # noqa: E402
from mer_jax.runfiles.predictions import PredictionTable  # noqa: E402

FOLDER = ROOT / 'docs' / 'concepts'
MEASURED = FOLDER / 'oracle_epoch.csv'
COMMAND = (
    'python main.py --config=synthetic_ststnet --config.data.name=synthetic_faces/small '
    '--config.evaluate.every_epoch'
)
INK, TRAINS, TESTED, REST = '#1d2733', '#2f6db3', '#d9730d', '#7f8b98'
# a clip of the first drawn person with a clear surprise
SHOWN = clips.Job(seed=0, number=1, index=7, emotion='surprise', varied=False)
STYLE = {'svg.hashsalt': 'concepts', 'font.size': 10, 'text.color': INK, 'axes.edgecolor': REST}


def key_frames(figure) -> None:
    """The motion of one clip over time, and the face at onset, apex and offset."""
    clip = clips.render(SHOWN)
    milliseconds = (np.arange(len(clip.moved)) + clip.first_frame - clip.onset) * 1000 / clip.fps
    axes = figure.add_axes((0.12, 0.14, 0.86, 0.42))
    axes.plot(milliseconds, clip.moved, color=TRAINS, linewidth=2)
    axes.set(xlabel='milliseconds after the onset', ylabel='motion in pixels')
    axes.set_ylim(0, clip.moved.max() * 1.3)
    axes.spines[['top', 'right']].set_visible(False)
    for column, name in enumerate(('onset', 'apex', 'offset')):
        frame = getattr(clip, name) - clip.first_frame
        point = milliseconds[frame], clip.moved[frame]
        axes.plot(*point, 'o', color=TESTED, markersize=8)
        offset = {'xytext': (0, 9), 'textcoords': 'offset points', 'ha': 'center'}
        axes.annotate(name, point, weight='bold', **offset)
        face = figure.add_axes((0.1 + 0.31 * column, 0.62, 0.26, 0.31))
        face.imshow(clip.frames[frame], cmap='gray', vmin=0, vmax=255)
        face.set_title(name)
        face.axis('off')


def motion(figure) -> None:
    """The apex with its optical flow from the onset as arrows, and its strength."""
    clip = clips.render(SHOWN)
    onset, apex = (clip.frames[frame - clip.first_frame] for frame in (clip.onset, clip.apex))
    field = flow.without_head(flow.tvl1(onset, apex))
    left = figure.add_axes((0.01, 0.03, 0.43, 0.83))
    left.imshow(apex, cmap='gray', vmin=0, vmax=255)
    rows, columns = np.mgrid[3:128:6, 3:128:6]
    strong = np.linalg.norm(field[rows, columns], axis=-1) > 0.35
    rows, columns = rows[strong], columns[strong]
    u, v = field[rows, columns].T
    in_pixels = {'angles': 'xy', 'scale_units': 'xy', 'scale': 0.2, 'width': 0.015}
    left.quiver(columns, rows, u, v, color=TESTED, **in_pixels)
    left.set_title('direction')
    left.axis('off')
    right = figure.add_axes((0.46, 0.03, 0.43, 0.83))
    shown = right.imshow(flow.magnitude(field), cmap='viridis')
    right.set_title('length in pixels')
    right.axis('off')
    figure.colorbar(shown, cax=figure.add_axes((0.9, 0.05, 0.025, 0.79)))


def loso(figure) -> None:
    """Five folds of five subjects: each is left out once."""
    axes = figure.add_axes((0, 0, 1, 1))
    for column in range(5):
        drawing = clips.person(0, column + 1).drawing
        axes.imshow(drawing, cmap='gray', extent=(column + 0.1, column + 0.9, -0.1, -0.9))
        for row in range(5):
            tested = row == column
            box = Rectangle((column + 0.04, row + 0.1), 0.92, 0.8)
            box.set(facecolor=TESTED if tested else TRAINS, edgecolor='white')
            axes.add_patch(box)
            word = 'tested' if tested else 'trains'
            middle = {'ha': 'center', 'va': 'center', 'color': 'white', 'weight': 'bold'}
            axes.text(column + 0.5, row + 0.5, word, **middle)
    for row in range(5):
        axes.text(-0.1, row + 0.5, f'fold {row + 1}', ha='right', va='center')
    axes.set(xlim=(-0.9, 5.1), ylim=(5, -1), aspect='equal')
    axes.axis('off')


def leak(figure) -> None:
    """Twelve clips of three subjects, split by subject and split at random."""
    tested_clips = {
        'honest: split by subject': {(2, 0), (2, 1), (2, 2), (2, 3)},
        'leak: split at random': {(0, 1), (1, 0), (1, 3), (2, 2)},
    }
    for panel, (title, tested) in enumerate(tested_clips.items()):
        axes = figure.add_axes((0.01 + 0.5 * panel, 0.1, 0.48, 0.78))
        axes.set_title(title, weight='bold')
        for row in range(3):
            drawing = clips.person(0, row + 1).drawing
            for column in range(4):
                inside = (column + 0.1, column + 0.9, row + 0.9, row + 0.1)
                axes.imshow(drawing, cmap='gray', extent=inside)
                frame = Rectangle((column + 0.07, row + 0.07), 0.86, 0.86, fill=False)
                frame.set(edgecolor=TESTED if (row, column) in tested else TRAINS, linewidth=4)
                axes.add_patch(frame)
        axes.set(xlim=(0, 4), ylim=(3, 0), aspect='equal')
        axes.axis('off')
    figure.text(0.27, 0.02, 'blue frame: trains', ha='center', color=TRAINS, weight='bold')
    figure.text(0.73, 0.02, 'orange frame: tested', ha='center', color=TESTED, weight='bold')


def measure(run: Path) -> None:
    """Write oracle_epoch.csv: the accuracy on each left-out subject after each epoch, first seed.

    Args:
        run: folder of a run of COMMAND.
    """
    table = PredictionTable.read(run)
    rows = [number for number, row in enumerate(table.rows) if row.seed == 0]
    outputs = EpochOutputs.read(run).values[:, rows]
    labels = [table.classes.index(table.rows[number].label) for number in rows]
    right = outputs.argmax(axis=-1) == np.array(labels)
    of_row = np.array([table.rows[number].subject for number in rows])
    with open(MEASURED, 'w', newline='') as file:
        file.write(f'# {COMMAND}\n')
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(('subject', *range(1, len(right) + 1)))
        for subject in sorted(set(of_row)):
            shares = right[:, of_row == subject].mean(axis=1)
            writer.writerow((subject, *(f'{share:.3f}' for share in shares)))


def measured() -> np.ndarray:
    """The accuracies of oracle_epoch.csv, float[subjects, epochs]."""
    with open(MEASURED, newline='') as file:
        rows = list(csv.reader(line for line in file if not line.startswith('#')))
    return np.array([[float(share) for share in row[1:]] for row in rows[1:]])


def oracle_epoch(figure) -> None:
    """Accuracy of each left-out subject after each epoch, its best epoch, and the last one."""
    curves = measured()
    epochs = np.arange(1, curves.shape[1] + 1)
    mean, best = curves.mean(axis=0), curves.max(axis=1)
    axes = figure.add_axes((0.12, 0.15, 0.86, 0.82))
    axes.plot(epochs, curves.T, color=REST, linewidth=0.6, alpha=0.5)
    axes.plot(epochs, mean, color=TRAINS, linewidth=2.5)
    axes.plot(epochs[-1], mean[-1], 'o', color=TRAINS, markersize=9)
    axes.plot(curves.argmax(axis=1) + 1, best, '*', color=TESTED, markersize=11)
    axes.axhline(best.mean(), color=TESTED, linestyle='--', linewidth=2)
    claimed = f'best epoch of each subject: {best.mean():.2f}'
    words = {'ha': 'right', 'weight': 'bold', 'bbox': {'color': 'white', 'alpha': 0.8, 'pad': 1}}
    axes.text(epochs[-1], best.mean() + 0.03, claimed, color=TESTED, **words)
    axes.text(epochs[-1], mean[-1] - 0.09, f'last epoch: {mean[-1]:.2f}', color=TRAINS, **words)
    axes.set(xlabel='epoch', ylabel='accuracy, left-out subject', ylim=(0, 1.03))
    axes.spines[['top', 'right']].set_visible(False)


# name -> how it is drawn, width and height in inches
FIGURES = {
    'key_frames': (key_frames, (5.2, 4.4)),
    'motion': (motion, (5.2, 2.7)),
    'loso': (loso, (5.2, 5.2)),
    'leak': (leak, (5.2, 2.5)),
    'oracle_epoch': (oracle_epoch, (5.2, 3.4)),
}


def draw(folder: Path) -> None:
    """Write all figures.

    Args:
        folder: where FIGURE.svg go.
    """
    with matplotlib.rc_context(STYLE):
        for name, (add, size) in FIGURES.items():
            figure = Figure(figsize=size)
            add(figure)
            figure.savefig(folder / f'{name}.svg', metadata={'Date': None}, facecolor='white')


if __name__ == '__main__':
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
    draw(FOLDER)
