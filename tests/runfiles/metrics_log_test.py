"""metrics.jsonl: a log that kills and resumes leave whole."""

import json

import pytest

from mer_jax.errors import UserError
from mer_jax.runfiles import metrics_log
from mer_jax.runfiles.metrics_log import EpochRecord, MetricsLog


def record(epoch, group=0, loss=0.5):
    """A line of the log."""
    figures = {'loss': loss, 'loss_min': loss, 'loss_max': loss}
    return EpochRecord(epoch, group, runs=5, seconds=0.25, figures=figures)


def logged(folder, epochs):
    """A log with one record an epoch; the second one diverged."""
    for epoch in epochs:
        loss = float('nan') if epoch == 2 else 1 / epoch
        metrics_log.append(folder, [record(epoch, loss=loss)])


def epochs_of(folder):
    return [line.epoch for line in MetricsLog.read(folder).records]


def test_records_round_trip(tmp_path):
    """Curves of the report and the seconds of a run are read from here."""
    records = [record(1), record(1, group=1, loss=None), record(2)]
    metrics_log.append(tmp_path, records[:1])
    metrics_log.append(tmp_path, records[1:])
    assert MetricsLog.read(tmp_path) == MetricsLog(tuple(records))
    text = (tmp_path / 'metrics.jsonl').read_text()
    assert list(json.loads(text.splitlines()[0]))[:5] == [
        'epoch',
        'group',
        'runs',
        'seconds',
        'loss',
    ]
    MetricsLog(tuple(records)).write(tmp_path)
    assert (tmp_path / 'metrics.jsonl').read_text() == text


def test_cut_drops_the_epochs_after_the_checkpoint(tmp_path):
    """Without the cut a resumed run would list the epochs between checkpoint and kill twice."""
    logged(tmp_path, range(1, 6))
    metrics_log.append(tmp_path, [record(5, group=1)])
    metrics_log.cut(tmp_path, group=0, epoch=3)
    logged(tmp_path, [4])
    assert epochs_of(tmp_path) == [1, 2, 3, 5, 4]
    assert MetricsLog.read(tmp_path).records[1].figures['loss'] is None
    metrics_log.cut(tmp_path / 'none', group=0, epoch=3)
    assert not (tmp_path / 'none').exists()


@pytest.mark.parametrize(
    'rest', [b'{"epoch": 6, "lo', b'{"epoch": 6, "name": "\xc3', b'\x00\x00\x00', b'6']
)
def test_a_half_written_last_line_is_dropped(tmp_path, rest):
    """A kill within the last write must not make a run of hours impossible to resume."""
    logged(tmp_path, range(1, 6))
    with open(tmp_path / 'metrics.jsonl', 'ab') as file:
        file.write(rest)
    assert epochs_of(tmp_path) == [1, 2, 3, 4, 5]
    metrics_log.cut(tmp_path, group=0, epoch=9)
    logged(tmp_path, [6])
    assert epochs_of(tmp_path) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ('line', 'words'),
    [
        ('{"epoch": ', 'line 2.*JSON'),
        ('{"step": 2}', "line 2.*'epoch'"),
        (
            '{"epoch": 0, "group": 0, "runs": 1, "seconds": 1}',
            'line 2: epoch.*0.*whole number',
        ),
        ('{"epoch": 1, "group": 0, "runs": 1, "seconds": -1}', 'line 2: seconds.*-1.*number'),
        ('{"epoch": 1, "group": 0, "runs": 1, "seconds": 1, "loss": "x"}', "line 2: loss.*'x'"),
        ('{"epoch": 1, "group": 0, "runs": 1, "seconds": 1, "loss": NaN}', 'line 2: loss.*nan'),
    ],
)
def test_a_bad_line_elsewhere_is_an_error_with_its_number(tmp_path, line, words):
    """Dropping it silently would hide a damaged file behind a curve with a gap."""
    logged(tmp_path, [1])
    with open(tmp_path / 'metrics.jsonl', 'a') as file:
        file.write(line + '\n')
    logged(tmp_path, [3])
    before = (tmp_path / 'metrics.jsonl').read_bytes()
    with pytest.raises(UserError, match=f'metrics.jsonl, {words}'):
        metrics_log.cut(tmp_path, group=0, epoch=3)
    assert (tmp_path / 'metrics.jsonl').read_bytes() == before
