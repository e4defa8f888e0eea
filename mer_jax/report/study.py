"""The files of compare and audit: a Study is printed, and written as CSV, LaTeX and a page."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mer_jax.report import page, table
from mer_jax.report.formats import WIDTH
from mer_jax.report.table import Table
from mer_jax.runfiles import writing


@dataclass(frozen=True)
class Study:
    """The tables of several runs, and the words around them.

    name: the stem of its files. tables: have equal columns. meanings: a table of the page alone
    that explains the rows. method: how the figures were computed.
    """

    name: str
    title: str
    size: str
    verdict: str
    leaks: Sequence[str]
    tables: Sequence[Table]
    method: str
    meanings: Table | None = None


def write(study: Study, result: dict, folder, plots: Sequence[tuple[Path, str]]) -> None:
    """Write the .json, .csv, .tex and .html of a study, and print its text and the paths.

    result: what the JSON file holds. plots: (path of a picture in `folder`, its caption).
    """
    folder = Path(folder)
    paths = {kind: folder / f'{study.name}.{kind}' for kind in ('json', 'csv', 'tex', 'html')}
    pictures = [page.picture(path, caption) for path, caption in plots]
    writing.write_json(paths['json'], result)
    writing.write_csv(paths['csv'], *table.csv_rows(study.tables))
    writing.write_text(paths['tex'], latex(study))
    writing.write_text(paths['html'], html(study, pictures))
    print(text(study))
    for path in [*paths.values(), *(path for path, _ in plots)]:
        print(f'{study.name}: {path}')


def text(study: Study) -> str:
    """A study for the terminal, at most 100 columns."""
    lines = textwrap.wrap(f'{study.title}: {study.size or study.verdict}', WIDTH)
    for one in study.tables:
        lines += ['', *table.text(one).splitlines()]
    return '\n'.join([*lines, '', *textwrap.wrap(study.method, WIDTH)])


def latex(study: Study) -> str:
    """The tables of a study as one float for \\usepackage{booktabs}, ready for \\input."""
    caption = f'{study.title}. {study.method}'
    if study.size:
        caption = f'{study.title}: {study.size}. {study.method}'
    return table.latex(study.tables, caption, f'tab:{study.name}')


def html(study: Study, pictures: Sequence[page.Picture]) -> str:
    """A study as a whole page with its pictures."""
    tables = [(one.title or 'Figures', table.html(one)) for one in study.tables]
    return page.render(
        'study.html',
        title=study.title,
        size=study.size,
        verdict=study.verdict,
        leaks=study.leaks,
        tables=tables,
        pictures=pictures,
        meanings=study.meanings and table.html(study.meanings),
        method=study.method,
    )
