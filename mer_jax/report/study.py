"""The result of compare or audit, written."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mer_jax.report import page, table
from mer_jax.report.formats import WIDTH, interval, measure
from mer_jax.report.table import DAGGER, Table
from mer_jax.runfiles import writing

KINDS = ('json', 'csv', 'tex', 'md', 'html')  # endings of the files of a study


@dataclass(frozen=True)
class Study:
    """The tables of several runs, and the texts around them."""

    name: str  # of its files, without their endings
    title: str
    size: str  # protocol and numbers, below the title; '' for none
    verdict: str  # one sentence
    leaks: Sequence[str]
    tables: Sequence[Table]  # of equal columns
    method: str  # how the figures were computed
    meanings: Table | None = None  # explains the rows; on the page only
    headline: Sequence[page.Tile] = ()  # the main figures; on the page only


def tile(
    title: str, value: float | None, edges: Sequence[float] | None, leaky: bool = False
) -> page.Tile:
    """Make the tile of a score with its 95 % interval, marked where it leaks."""
    title = f'{DAGGER} {title}' if leaky else title
    return page.Tile(title, measure(value), f'95 % {interval(edges)}')


def write(study: Study, result: dict, folder: str | Path, plots: Sequence[page.Drawn]) -> None:
    """Write the files of a study, and print its text.

    Args:
        study: written as .csv, .tex, .md and .html.
        result: written as .json.
        folder: where the files go.
        plots: in `folder`.
    """
    folder = Path(folder)
    paths = {kind: folder / f'{study.name}.{kind}' for kind in KINDS}
    pictures = [page.picture(*drawn) for drawn in plots]
    writing.write_json(paths['json'], result)
    writing.write_csv(paths['csv'], *table.csv_rows(study.tables))
    writing.write_text(paths['tex'], latex(study))
    writing.write_text(paths['md'], markdown(study))
    writing.write_text(paths['html'], html(study, pictures))
    print(text(study))
    for path in [*paths.values(), *(drawn.path for drawn in plots)]:
        print(f'{study.name}: {path}')


def text(study: Study) -> str:
    """Format a study for the terminal, at most 100 columns."""
    lines = textwrap.wrap(f'{study.title}: {study.size or study.verdict}', WIDTH)
    for part in study.tables:
        lines += ['', *table.text(part).splitlines()]
    return '\n'.join([*lines, '', *textwrap.wrap(study.method, WIDTH)])


def latex(study: Study) -> str:
    """Format a study as one LaTeX float, ready for \\input."""
    caption = f'{study.title}. {study.method}'
    if study.size:
        caption = f'{study.title}: {study.size}. {study.method}'
    return table.latex(study.tables, caption, f'tab:{study.name}')


def markdown(study: Study) -> str:
    """Format a study as Markdown, for a page of documentation."""
    pieces = [f'**{study.title}**: {study.size}' if study.size else f'**{study.title}**']
    pieces.append(study.verdict)
    for part in study.tables:
        pieces += (
            [f'**{part.title}**', table.markdown(part)] if part.title else [table.markdown(part)]
        )
    return '\n\n'.join([*pieces, study.method]) + '\n'


def html(study: Study, pictures: Sequence[page.Picture]) -> str:
    """Format a study as a page with its pictures."""
    tables = [(part.title or 'Figures', table.html(part)) for part in study.tables]
    return page.render(
        'study.html',
        title=study.title,
        size=study.size,
        verdict=study.verdict,
        leaks=study.leaks,
        headline=study.headline,
        tables=tables,
        pictures=pictures,
        meanings=study.meanings and table.html(study.meanings),
        method=study.method,
    )
