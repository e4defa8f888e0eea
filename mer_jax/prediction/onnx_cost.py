"""What a file of ONNX costs on this machine: memory and time.

It is run as a script by a new process, whose memory is that of the file alone. It imports nothing
of this package.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime

SECONDS = 0.5  # that predictions are timed for
LEAST = 5  # predictions


def measured(path: str) -> dict[str, float]:
    """Load a file and predict one clip again and again.

    Args:
        path: of the file.

    Returns:
        {'load_s': seconds until it is loaded, 'clip_ms': median time of one clip, 'fastest_ms':
        the shortest, which other programs disturb least, 'peak_mb': most memory of this process}.
    """
    start = time.perf_counter()
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    load = time.perf_counter() - start
    (image,) = session.get_inputs()
    rows, *shape = image.shape
    rows = rows if isinstance(rows, int) else 1
    dtype = np.uint8 if image.type == 'tensor(uint8)' else np.float32
    clip = {image.name: np.ones((rows, *shape), dtype)}
    session.run(None, clip)  # the first one takes memory
    times = []
    while len(times) < LEAST or sum(times) < SECONDS:
        start = time.perf_counter()
        session.run(None, clip)
        times.append(time.perf_counter() - start)
    of_clip = [1e3 * seconds / rows for seconds in times]
    return {
        'load_s': load,
        'clip_ms': statistics.median(of_clip),
        'fastest_ms': min(of_clip),
        'peak_mb': _peak() / 1e6,
    }


def _peak() -> float:
    """Return the most bytes that this process held at once."""
    status = Path('/proc/self/status')
    if status.exists():
        # the peak that getrusage returns begins with that of the parent process
        (line,) = [row for row in status.read_text().splitlines() if row.startswith('VmHWM')]
        return 1024 * float(line.split()[1])
    import resource

    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # bytes on macOS


if __name__ == '__main__':
    print(json.dumps(measured(sys.argv[1])))
