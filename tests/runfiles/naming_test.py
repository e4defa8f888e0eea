"""naming: a run that is not what its config says must not be called as if it were."""

import pytest

from mer_jax.runfiles.naming import config_of, default_folder, identity_changes, title


@pytest.mark.parametrize(
    ('variants', 'changes', 'expected'),
    [
        ('', {}, 'synthetic_ststnet'),
        ('quick', {}, 'synthetic_ststnet (quick)'),
        ('gan=on,quick', {}, 'synthetic_ststnet (gan=on, quick)'),
        ('', {'model.name': 'vggm'}, 'synthetic_ststnet (model.name=vggm)'),
        ('quick', {'model.name': 'vggm'}, 'synthetic_ststnet (quick; model.name=vggm)'),
    ],
)
def test_the_title_names_variants_and_another_network(variants, changes, expected):
    """A table of quick runs, or of another network, would pass for the published experiment."""
    text = title('synthetic_ststnet', variants, changes)
    assert text == expected
    assert config_of(text) == 'synthetic_ststnet'


@pytest.mark.parametrize(
    ('config', 'variants', 'changes', 'expected'),
    [
        ('configs/casme2_dualbranch.py', '', {}, 'runs/casme2_dualbranch'),
        (
            'configs/casme2_dualbranch.py',
            'classes=3,quick',
            {},
            'runs/casme2_dualbranch-classes=3,quick',
        ),
        ('/a b/my config.py', 'x/../y:z', {}, 'runs/my_config-x_.._y_z'),
        ('a.py', '', {'data.name': 'casme2/flow'}, 'runs/a-data.name=casme2_flow'),
        ('a.py', 'quick', {'model.name': 'vggm'}, 'runs/a-quick,model.name=vggm'),
    ],
)
def test_default_folder_of_a_run(config, variants, changes, expected):
    """A slash or colon of a variant would leave runs/ or fail on another system."""
    assert default_folder(config, variants, changes) == expected


def test_only_changes_of_the_network_and_the_data_set_count():
    """More epochs continue a run in its folder; the options of an unused network change nothing."""
    before = {
        'data.name': 'a',
        'model.name': 'vggm',
        'model.vggm.width': 96,
        'model.ocnet.width': 32,
        'head.name': 'none',
        'train.epochs': 5,
    }
    after = before | {'train.epochs': 6, 'model.ocnet.width': 8, 'model.vggm.width': 3}
    assert identity_changes(before, after) == {'model.vggm.width': 3}
    assert identity_changes(before, before | {'data.name': 'b'}) == {'data.name': 'b'}


def test_many_changes_do_not_make_a_name_that_no_file_system_takes():
    """Ten options of a network make a folder that cannot be created, or share one with others."""
    changes = {f'model.vggm.option_{number}': 'x' * 30 for number in range(10)}
    folders = {default_folder('a.py', '', changes | {'model.vggm.last': last}) for last in 'yz'}
    assert len(folders) == 2 and max(map(len, folders)) < 200
