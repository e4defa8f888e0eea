"""Writes several releases below one parent folder, each in a folder of its own."""

from pathlib import Path

from tests.support.fake_raw import casme2, casme_squared, samm, smic

WRITERS = {
    'casme2': ('CASME2', casme2.write),
    'samm': ('SAMM_release', samm.write),
    'smic': ('SMIC', smic.write),
    'casme_squared': ('CASME_squared', casme_squared.write),
}


def write(folder, names=tuple(WRITERS), *, size='small', **options):
    """{name: truth.Release} of the releases `names` below `folder`; options: {name: keyword
    arguments} of a writer.
    """
    return {
        name: WRITERS[name][1](Path(folder) / WRITERS[name][0], size=size, **options.get(name, {}))
        for name in names
    }
