"""provenance: a result whose code cannot be found again cannot be checked."""

import shutil
import subprocess

from mer_jax import provenance


def git(folder, *arguments):
    """Run git as a user without any settings of their own."""
    person = ['-c', 'user.name=a', '-c', 'user.email=a@b.c']
    command = ['git', '-C', str(folder), *person, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def repository(folder):
    """A checkout with one commit."""
    (folder / 'mer_jax').mkdir(parents=True)
    for name in ('pyproject.toml', 'main.py'):
        (folder / name).write_text('')
    git(folder, 'init')
    git(folder, 'add', '.')
    git(folder, 'commit', '-m', 'one')
    return git(folder, 'rev-parse', '--short', 'HEAD')


def test_a_checkout_names_its_commit_and_whether_it_was_changed(tmp_path, monkeypatch):
    """A figure of changed files under the name of a commit would never come out again."""
    commit = repository(tmp_path / 'repository')
    monkeypatch.setattr(provenance, 'HERE', tmp_path / 'repository' / 'mer_jax')
    version = {'mer_jax': provenance.VERSION}
    assert provenance.code() == {**version, 'commit': commit, 'tree': 'clean'}
    (tmp_path / 'repository' / 'notes.txt').write_text('of the user')
    assert provenance.code()['tree'] == 'clean'
    (tmp_path / 'repository' / 'main.py').write_text('changed')
    assert provenance.code() == {**version, 'commit': commit, 'tree': 'changed'}
    assert commit in provenance.describe(provenance.code())


def test_outside_a_checkout_the_version_stands_alone(tmp_path, monkeypatch):
    """An environment inside the repository of a user would report a commit of theirs."""
    repository(tmp_path / 'theirs')
    version = {'mer_jax': provenance.VERSION}
    installed = tmp_path / 'theirs' / 'site-packages' / 'mer_jax'
    installed.mkdir(parents=True)
    monkeypatch.setattr(provenance, 'HERE', installed)
    assert provenance.checkout() is None and provenance.code() == version
    # the files of a checkout without git, as in a download
    unpacked = tmp_path / 'unpacked'
    shutil.copytree(
        tmp_path / 'theirs', unpacked, ignore=shutil.ignore_patterns('.git', 'site-packages')
    )
    monkeypatch.setattr(provenance, 'HERE', unpacked / 'mer_jax')
    assert provenance.checkout() == unpacked and provenance.code() == version


def test_without_git_the_version_stands_alone(tmp_path, monkeypatch):
    """A machine without git must train all the same."""
    repository(tmp_path / 'repository')
    monkeypatch.setattr(provenance, 'HERE', tmp_path / 'repository' / 'mer_jax')
    monkeypatch.setenv('PATH', '')
    assert provenance.code() == {'mer_jax': provenance.VERSION}
