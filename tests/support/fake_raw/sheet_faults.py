"""Faults of annotation rows and of whole workbooks, by name."""

from dataclasses import replace

ROWS = {  # name -> row -> rows that stand in the sheet in its place
    'unknown_emotion': lambda row: [replace(row, emotion='bored')],
    'emotion_case': lambda row: [replace(row, emotion=f'{row.emotion.swapcase()} ')],
    'emotion_empty': lambda row: [replace(row, emotion='')],
    'malformed_onset': lambda row: [replace(row, onset='12a')],
    'malformed_apex': lambda row: [replace(row, apex='x7')],
    'malformed_offset': lambda row: [replace(row, offset='12.5')],
    'onset_empty': lambda row: [replace(row, onset='')],
    'apex_slash': lambda row: [replace(row, apex='/')],
    'apex_empty': lambda row: [replace(row, apex='')],
    'apex_zero': lambda row: [replace(row, apex=0)],
    'apex_equals_onset': lambda row: [replace(row, apex=row.onset)],
    'apex_equals_offset': lambda row: [replace(row, apex=row.offset)],
    'swapped_apex': lambda row: [replace(row, apex=row.offset, offset=row.apex)],
    'apex_before_onset': lambda row: [replace(row, apex=row.onset - 1)],
    'offset_zero': lambda row: [replace(row, offset=0)],
    'onset_too_early': lambda row: [replace(row, onset=row.onset - 1)],
    'offset_too_late': lambda row: [replace(row, offset=row.offset + 3)],
    'interval_elsewhere': lambda row: [replace(row, onset=70001, apex=70003, offset=70009)],
    'text_numbers': lambda row: [replace(row, onset=f' {row.onset} ', offset=f'{row.offset}.0')],
    'float_numbers': lambda row: [replace(row, onset=float(row.onset), offset=float(row.offset))],
    'duplicate_row': lambda row: [row, row],
    'differing_duplicate': lambda row: [row, replace(row, onset=row.onset + 1)],
    'row_missing': lambda row: [],
}
WORKBOOK = (
    'wrong_header',
    'missing_column',
    'header_style',
    'blank_rows',
    'subject_integers',
    'damaged',
    'no_sheet',
    'semicolons',
)


def spoilt(rows, ids, faults):
    """The rows after injecting the row faults; ids are the clip ids of the rows, faults {clip id:
    names}.
    """
    done = []
    for row, clip in zip(rows, ids, strict=True):
        named = [name for name in faults.get(clip, ()) if name in ROWS]
        done += ROWS[named[0]](row) if named else [row]
    return done


def check(faults, known_files, workbook):
    """A mistyped fault would make a test pass for nothing: KeyError instead."""
    for names in faults.values():
        for name in names:
            if name.partition(':')[0] not in known_files and name not in ROWS:
                raise KeyError(name)
    if set(workbook) - set(WORKBOOK):
        raise KeyError(workbook)
