"""What a config file and its variants change, without training anything."""

import importlib
from pathlib import Path

import pytest

from mer_jax import presets
from mer_jax.data import labels, sources
from mer_jax.errors import UserError
from mer_jax.experiment import leaks, settings
from mer_jax.runfiles.config import differences
from mer_jax.settings.tree import from_nested
from mer_jax.training import learners
from tests.support.messages import mentions

ROOT = Path(__file__).parents[1]
ALL = sorted(p.stem for p in ROOT.glob('configs/[a-z]*_*.py'))
DUAL = ['casme2_dualbranch', 'samm_dualbranch', 'synthetic_dualbranch']
ACROSS = ['composite_dualbranch', 'composite_hybrid', 'megc2018_dualbranch', 'megc2018_hybrid']
TABLE_4 = {  # of Ruan et al. 2022: (network, Area Weighted Module, alignment, Region Replacing)
    'sb': ('single_branch', False, False, True),
    'sb_au': ('single_branch', False, True, True),
    'db': ('dual_branch', False, False, True),
    'db_au': ('dual_branch', False, True, True),
    'db_awm': ('dual_branch', True, False, True),
    'all_no_rr': ('dual_branch', True, True, False),
    'all': ('dual_branch', True, True, True),
}


def config(name, variant=''):
    return importlib.import_module(f'configs.{name}').get_config(variant)


def changed(name, variant):
    """{key: new value} of what a variant changes."""
    return {
        key: new
        for key, _, new in differences(
            config(name).to_dict(), config(name, variant).to_dict(), ignore=set()
        )
    }


def test_there_is_one_for_each_release_and_the_synthetic_faces():
    """A config that was renamed away is missing from every command in the README."""
    assert {*DUAL, *ACROSS} <= {*ALL}


@pytest.mark.parametrize('name', ALL)
def test_every_config_keeps_the_rules(name):
    """A config that its own program refuses helps nobody; nor one that is refused once it is made
    quick.
    """
    for variant in ('', 'quick'):
        settings.checked(config(name, variant))


@pytest.mark.parametrize('name', DUAL)
def test_the_published_training(name):
    """Ruan et al. 2022, section 4.1, and the released code where the paper is silent; 70 epochs end
    a cycle of the rate.
    """
    c = config(name)
    assert (c.model.name, c.train.learner, c.train.optimizer, c.train.schedule) == (
        'dual_branch',
        'contrastive',
        'adamw',
        'restarts',
    )
    assert (
        c.train.learning_rate,
        c.train.weight_decay,
        c.train.class_weights,
        c.train.label_smoothing,
    ) == (3e-3, 1e-5, 'max', 0.1)
    assert (c.alignment.weight, c.alignment.temperature, c.augment.replace) == (0.3, 0.1, 0.5)
    assert c.data.channels == 'magnified,on_a,off_a' and c.protocol.name == 'loso'
    rate = learners.SCHEDULES['restarts'](1.0, 1, c.train.epochs)
    last, least = float(rate(c.train.epochs - 1)), {'synthetic_dualbranch': 10}.get(name, 70)
    assert c.train.epochs == least and last < 0.03, 'a run must end where the rate is low'
    if name != 'synthetic_dualbranch':
        assert (c.data.size, c.train.batch_size, c.data.labels, c.model.dual_branch.width) == (
            224,
            128,
            'five',
            64,
        )
        assert c.data.value_range == 'imagenet' and c.augment.erase == 0.5


@pytest.mark.parametrize('row', sorted(TABLE_4))
@pytest.mark.parametrize('name', DUAL)
def test_the_rows_of_the_ablation(name, row):
    """A row that leaves a part on compares nothing; one that changes more compares
    something else.
    """
    network, weighted, aligned, replacing = TABLE_4[row]
    c = config(name, f'ablation={row}')
    assert c.model.name == network and c.model.dual_branch.awm == weighted
    assert c.alignment.weight == (0.3 if aligned else 0) and c.augment.replace == (
        0.5 if replacing else 0
    )
    assert set(changed(name, f'ablation={row}')) <= {
        'model.name',
        'model.dual_branch.awm',
        'alignment.weight',
        'augment.replace',
    }
    assert c.train.learner == 'contrastive'  # both heads stay
    settings.checked(c)


def test_eyes_and_mouth_have_statistics_of_their_own():
    """The released code takes one after the other; pooled, every gradient is another."""
    for name in DUAL:
        for variant in ('', 'published'):
            assert config(name, variant).model.dual_branch.batch_statistics == 'halves'


def test_single_and_dual_branch_have_the_same_layers():
    """Otherwise the ablation would compare widths and dropouts."""
    for name in DUAL:
        c = config(name)
        assert all(
            c.model.single_branch[key] == c.model.dual_branch[key] for key in c.model.single_branch
        )


RELEASED = {
    'alignment.variant': 'released',
    'augment.replace_units': 'union',
    'explain.au_cam': 'released',
    'data.name': 'samm/samer,flow_size=crop,jpeg=on,reference_units=count',
    'train.epochs': 100,
    'model.dual_branch.initial_kernels': 'normal',
    'model.single_branch.initial_kernels': 'normal',
}
VARIANTS = [
    ('casme2_dualbranch', 'classes=3', {'data.labels': 'samer3'}),
    ('casme2_dualbranch', 'classes=5', {}),
    ('synthetic_dualbranch', 'classes=5', {'data.labels': 'five', 'data.name': 'synthetic_faces'}),
    (
        'synthetic_dualbranch',
        'target=magnified,classes=5',
        {'data.labels': 'five', 'data.name': 'synthetic_faces/magnified'},
    ),
    ('samm_dualbranch', 'target=apex', {'data.name': 'samm/samer,target=apex'}),
    ('casme2_dualbranch', 'target=magnified', {'data.name': 'casme2/samer,target=magnified'}),
    ('synthetic_dualbranch', 'target=apex', {}),
    ('synthetic_dualbranch', 'target=magnified', {'data.name': 'synthetic_faces/magnified'}),
    ('casme2_dualbranch', 'alignment=clean', {}),
    ('casme2_dualbranch', 'alignment=equal', {'alignment.variant': 'equal'}),
    ('casme2_dualbranch', 'alignment=paper', {'alignment.variant': 'paper'}),
    ('casme2_dualbranch', 'alignment=released', {'alignment.variant': 'released'}),
    (
        'casme2_dualbranch',
        'sampler=weighted',
        {'train.sampler': 'weighted', 'train.class_weights': 'none'},
    ),
    ('samm_dualbranch', 'published', RELEASED),
    (
        'samm_dualbranch',
        'published,classes=3,ablation=db',
        RELEASED
        | {'data.labels': 'samer3', 'model.dual_branch.awm': False, 'alignment.weight': 0.0},
    ),
    ('samm_dualbranch', ',published,', RELEASED),
]


@pytest.mark.parametrize(
    'name,variant,expected', VARIANTS, ids=[f'{name}:{variant}' for name, variant, _ in VARIANTS]
)
def test_a_variant_changes_what_it_says_and_nothing_else(name, variant, expected):
    """Results under a variant's name would be of another experiment."""
    assert changed(name, variant) == expected
    settings.checked(config(name, variant))


def test_the_published_training_of_ststnet():
    """Liong et al. 2019: Adam at 5e-5, 500 epochs, batches of 256; the rate is what makes the
    published epochs enough.
    """
    for name in [name for name in ALL if name.endswith('_ststnet') and name != 'synthetic_ststnet']:
        c = config(name)
        assert (c.model.name, c.train.optimizer, c.train.learning_rate) == ('ststnet', 'adam', 5e-5)
        assert (c.train.epochs, c.train.batch_size, c.data.size) == (500, 256, 28)


PUBLISHED = [  # beside those of other tests: what `:published` changes
    ('casme2_ststnet', {'train.epochs': 800, 'train.sampler': 'in_order'}, False),
    ('megc2019_ststnet', {'train.epochs': 800, 'train.sampler': 'in_order'}, False),
    ('megc2019_offapexnet', {'train.batch_size': 64}, False),
    ('casme2_handcrafted', {'head.features': 'bi_woof'}, False),
    *(
        (
            name,
            {'model.htnet.dim': 256, 'train.epochs': 800, 'train.sampler': 'in_order'},
            False,
        )
        for name in ('megc2019_htnet', 'casme2_htnet')
    ),
    ('megc2019_sssnet', {'data.size': 64, 'model.sssnet.softmax': True}, False),
    ('casme2_sssnet', {'model.sssnet.softmax': True}, False),
    ('megc2019_rcn_a', {'model.rcn_a.width': 64, 'model.rcn_a.grid': 7}, False),
    ('casme2_rcn_a', {'model.rcn_a.width': 64, 'model.rcn_a.grid': 7}, False),
    ('megc2019_dual_inception', {'train.batch_size': 64}, False),
    *(
        (
            name,
            {
                'balance.method': 'gan',
                'gan.scope': 'all',
                'gan.learning_rate': 0.002,
                'gan.discriminator_output': 'softmax',
            },
            True,
        )
        for name in ('casme2_ocnet', 'megc2019_ocnet', 'megc2019_vggm', 'megc2019_alexnet')
    ),
    (
        'smic_microexpstcnn',
        {
            'protocol.name': 'random_split',
            'data.scaler_scope': 'all',
            'evaluate.every_epoch': True,
        },
        True,
    ),
]


@pytest.mark.parametrize('name,expected,leaking', PUBLISHED, ids=[row[0] for row in PUBLISHED])
def test_published_restores_what_it_says_and_names_its_leaks(name, expected, leaking):
    """Results under the name of the released code would be of another experiment."""
    assert changed(name, 'published') == expected
    settings.checked(config(name, 'published,quick'))
    given = settings.checked(config(name, 'published'))
    assert bool(leaks.listed(given)) == leaking


TABLES = {  # variants of Irawan et al. 2024: (augmentation, balancing, class weights)
    'st': (False, 'none', 'none'),
    'da': (True, 'none', 'none'),
    'scb': (False, 'smote', 'none'),
    'dacwb': (True, 'none', 'balanced'),
}


@pytest.mark.parametrize('variant', sorted(TABLES))
@pytest.mark.parametrize('name', [name for name in ALL if name.endswith('_cnn3d')])
def test_the_four_variants_of_the_3d_network(name, variant):
    """They differ in data handling alone; augmentation as published, class weights in the form that
    models.md prefers.
    """
    augmented, method, weights = TABLES[variant]
    c = config(name, f'variant={variant}')
    amounts = (15.0, 0.1, 0.3, 0.3) if augmented else (0, 0, 0, 0)
    assert (c.augment.rotate, c.augment.crop, c.augment.contrast, c.augment.brightness) == amounts
    assert (c.balance.method, c.balance.neighbours, c.balance.space, c.train.class_weights) == (
        method,
        5,
        'pixels',
        weights,
    )
    assert all(
        key.split('.')[0] in ('augment', 'balance') or key == 'train.class_weights'
        for key in changed(name, f'variant={variant}')
    )
    settings.checked(c)


@pytest.mark.parametrize('name', [name for name in ALL if name.endswith('_cnn3d')])
def test_the_published_protocol_of_the_3d_network(name):
    """Clips split 80/10/10 and balanced before; nothing else differs from the honest run it is
    compared with.
    """
    assert changed(name, 'published') == {
        'protocol.name': 'random_split',
        'protocol.holdout': 0.1,
        'protocol.validation': 0.1,
        'balance.scope': 'all',
    }
    settings.checked(config(name, 'published,variant=dacwb'))


@pytest.mark.parametrize('name', DUAL)
def test_quick_stays_quick_whatever_stands_behind_it(name):
    """'quick,published' would train 100 epochs, 'quick,target=apex' wait for a licensed
    data set.
    """
    for other in ('published', 'target=magnified', 'classes=3', 'ablation=sb'):
        first, last = config(name, f'quick,{other}'), config(name, f'{other},quick')
        assert first.to_dict() == last.to_dict()
        assert (first.data.name, first.data.size, first.train.epochs) == (
            'synthetic_faces/tiny',
            32,
            2,
        )
        assert (
            first.model.dual_branch.width == first.model.single_branch.width == 8
            and first.data.manual_dir == ''
        )
        settings.checked(first)
    # what it does not shrink stays
    assert config(name, 'quick,published').augment.replace_units == 'union'


UNKNOWN = [
    (
        'quik',
        "casme2_dualbranch ... 'quik' ... "
        'ablation=sb|sb_au|db|db_au|db_awm|all_no_rr|all, '
        'alignment=clean|equal|released|paper, classes=3|5, published, quick, sampler=weighted, '
        'target=apex|magnified',
    ),
    ('ablation', "'ablation'"),
    ('ablation=none', "'ablation=none'"),
    ('classes=4', "'classes=4'"),
    ('published=yes', "'published=yes'"),
    ('quick=1', "'quick=1'"),
    ('=quick', "'=quick'"),
    ('published,targt=apex', "'targt=apex'"),
]


@pytest.mark.parametrize('variant,told', UNKNOWN, ids=[variant for variant, _ in UNKNOWN])
def test_an_unknown_variant_names_the_known_ones(variant, told):
    """A mistyped ablation that passes unnoticed is a row of a table that is another row."""
    with pytest.raises(UserError) as error:
        config('casme2_dualbranch', variant)
    assert mentions(str(error.value), told) and mentions(str(error.value), 'ablation=sb| ... quick')


def test_every_variant_that_is_offered_works():
    """What the message names as known must be known."""
    with pytest.raises(UserError) as error:
        config('synthetic_dualbranch', 'x')
    for offer in str(error.value).partition('known: ')[2].split(', '):
        name, _, values = offer.partition('=')
        for value in values.split('|'):
            settings.checked(config('synthetic_dualbranch', f'{name}={value}' if value else name))


def test_a_config_cannot_be_given_a_setting_that_is_none():
    """base() is locked: a mistyped key in a config file fails there, not hours later."""
    with pytest.raises(AttributeError, match='replaces'):
        presets.dualbranch('x').augment.replaces = 0.5


KOO = [  # variants of Koo et al. 2022
    ('megc2019_ocnet', 'gan=on', {'balance.method': 'gan'}),
    ('casme2_ocnet', 'gan=off', {}),
    ('smic_ocnet', 'gan=all', {'balance.method': 'gan', 'gan.scope': 'all'}),
    ('samm_ocnet', 'dropout=none', {'model.ocnet.dropout_units': 0}),
    ('samm_ocnet', 'dropout=1', {'model.ocnet.dropout_units': 1}),
    ('samm_ocnet', 'dropout=12', {}),
    ('samm_ocnet', 'dropout=123,gan=on', {'model.ocnet.dropout_units': 3, 'balance.method': 'gan'}),
    (
        'megc2019_ocnet',
        'network=vggm',
        {'model.name': 'vggm', 'train.learning_rate': 1e-4, 'data.size': 75},
    ),
    (
        'megc2019_ocnet',
        'network=ststnet,gan=on',
        {
            'model.name': 'ststnet',
            'train.learning_rate': 5e-5,
            'train.batch_size': 256,
            'data.channels': 'strain,v,u',
            'data.value_range': '0..255',
            'balance.method': 'gan',
        },
    ),
    (
        'casme2_ocnet',
        'network=offapexnet',
        {'model.name': 'offapexnet', 'train.learning_rate': 1e-4},
    ),
    ('synthetic_ocnet', 'network=dual_inception', {'model.name': 'dual_inception'}),
    ('casme2_spotting', 'label=log,path=v1', {'spotting.label': 'log', 'model.vggm.path': 'v1'}),
    ('samm_spotting', 'label=linear,path=none,merge=concat', {}),
    (
        'casme2_spotting',
        'path=v4,merge=sum,label=impulse',
        {'spotting.label': 'impulse', 'model.vggm.path': 'v4', 'model.vggm.merge': 'sum'},
    ),
    ('synthetic_spotting', 'path=best', {'spotting.decoder': 'template'}),
    ('casme2_spotting', 'published', {'protocol.name': 'clip_kfold'}),
]


@pytest.mark.parametrize(
    'name,variant,expected', KOO, ids=[f'{name}:{variant}' for name, variant, _ in KOO]
)
def test_a_variant_of_koo_et_al_changes_what_it_says_and_nothing_else(name, variant, expected):
    """Results under a variant's name would be of another experiment."""
    assert changed(name, variant) == expected
    settings.checked(config(name, variant))
    named = {'gan=all': 'gan.scope=all', 'published': 'clip_kfold'}.get(variant)
    leaking = leaks.listed(from_nested(config(name, variant).to_dict()))
    assert len(leaking) == bool(named) and all(named in text for text in leaking)


def test_the_published_training_of_koo_et_al():
    """Adam 6e-5 and 500 epochs for OC-Net by LOSO at 75 pixels; 1e-4, 1000 epochs, batches of 64
    frames and 5 folds for spotting, which the paper split by clip and we split by subject.
    """
    for name in ('casme2_ocnet', 'samm_ocnet', 'smic_ocnet'):
        c = config(name)
        assert (
            c.train.optimizer,
            c.train.learning_rate,
            c.train.epochs,
            c.protocol.name,
            c.data.size,
        ) == ('adam', 6e-5, 500, 'loso', 75)
        assert (c.gan.images_per_class, c.gan.size, c.gan.scope) == (100, 80, 'fold')
    for name in ('casme2_spotting', 'samm_spotting'):
        c = config(name)
        assert (c.train.optimizer, c.train.learning_rate, c.train.epochs, c.train.batch_size) == (
            'adam',
            1e-4,
            1000,
            64,
        )
        assert (c.protocol.name, c.protocol.folds, c.model.vggm.width, c.spotting.window) == (
            'kfold',
            5,
            96,
            9,
        )


@pytest.mark.parametrize('network', ['vggm', 'ststnet', 'offapexnet', 'dual_inception'])
def test_a_network_has_one_rate_wherever_it_is_compared(network):
    """Two tables of one network at two rates would look like two results of one experiment."""
    alone, compared = config(f'megc2019_{network}'), config('megc2019_ocnet', f'network={network}')
    assert alone.train.learning_rate == compared.train.learning_rate


def test_the_published_optimizer_of_the_hybrid():
    """Document 000 prints Adam (lr=0.001, weight_decay=1e-4) of PyTorch, which is L2."""
    train = config('casme2_hybrid').train
    optimizer = (train.optimizer, train.learning_rate, train.weight_decay)
    assert optimizer == ('adam_l2', 1e-3, 1e-4)


HYBRID = {  # of document 000 and 001: what each variant changes
    'published': {
        'balance.method': 'augment',
        'augment.rotate': 5.0,
        'augment.contrast': 0.2,
        'augment.brightness': 0.2,
        'augment.noise': 0.01,
        'augment.flow_scale': 0.1,
    },
    'features=cnn': {'data.channels': 'onset,apex,offset', 'head.features': 'network'},
    'features=flow': {'head.features': 'network'},
    'features=au': {'head.features': 'network+au_strain'},
    'features=hand': {
        'head.features': 'au_strain+bands',
        'train.epochs': 0,
        'train.class_weights': 'none',
    },
    'features=all': {},
    'augment=off': {},
    'split=subject': {},
    'leak=off': {},
    'disgust=off': {},
    'augment=on': {
        'balance.method': 'augment',
        'augment.rotate': 5.0,
        'augment.contrast': 0.2,
        'augment.brightness': 0.2,
        'augment.noise': 0.01,
        'augment.flow_scale': 0.1,
    },
    'disgust=on': {'head.features': 'network+au_strain+bands+disgust'},
    'split=random': {'protocol.name': 'random_split'},
    'leak=on': {'head.scope': 'all'},
}


@pytest.mark.parametrize('name', ['synthetic_hybrid', 'casme2_hybrid'])
@pytest.mark.parametrize('variant', sorted(HYBRID))
def test_the_ablation_of_the_hybrid_changes_what_it_says(name, variant):
    """A row of the ablation table that changes more than its part says nothing of that part; a leak
    must be named.
    """
    assert changed(name, variant) == HYBRID[variant]
    for quick in ('', ',quick'):
        given = settings.checked(config(name, variant + quick))
        assert bool(leaks.listed(given)) == (variant in ('split=random', 'leak=on'))


@pytest.mark.parametrize('name', ['synthetic_handcrafted', 'casme2_handcrafted'])
@pytest.mark.parametrize('kind', ['flow', 'hoof', 'bi_woof', 'bi_woof_centred', 'lbp_top', 'mdmo'])
def test_handcrafted_features_read_what_they_describe(name, kind):
    """LBP-TOP of two flows, or directions of bytes, would be computed without a word."""
    given = config(name, f'features={kind}')
    settings.checked(given)
    video = kind in ('lbp_top', 'mdmo')
    assert (given.data.channels == 'gray') == video and given.data.clip_normalise == video
    assert (
        given.data.name
        == {
            'synthetic_handcrafted': 'synthetic_faces',
            'casme2_handcrafted': 'casme2/video' if video else 'casme2/flow',
        }[name]
    )
    assert (
        given.train.epochs == 0
        and given.head.name == 'svm'
        and leaks.listed(from_nested(given.to_dict())) == []
    )
    assert given.head.kernel == ('linear' if kind in ('flow', 'lbp_top') else 'rbf')


@pytest.mark.parametrize('name', ACROSS)
def test_a_config_across_data_sets_leaves_each_of_them_out(name):
    """Every data set that is joined must have classes in the scheme, and none may be tested by a
    network that saw it; with quick one data set is left, and subjects are left out.
    """
    c = config(name)
    assert c.protocol.name == 'lodo' and config(name, 'quick').protocol.name == 'loso'
    releases = [source.release for source in sources.parse(c.data.name)]
    expected = ['casme2', 'samm'] if name.startswith('megc2018') else ['casme2', 'samm', 'smic']
    assert releases == expected
    count = 5 if name.startswith('megc2018') else 3
    assert len(labels.classes(c.data.labels, releases)) == count
    assert leaks.listed(from_nested(c.to_dict())) == []


MEGC2018 = [
    ('protocol=hde', {}),
    ('protocol=cde', {'protocol.name': 'loso'}),
    ('classes=7', {'data.labels': 'objective7'}),
    ('classes=5,sheet=2014', {}),
]


@pytest.mark.parametrize('name', ['megc2018_dualbranch', 'megc2018_hybrid'])
@pytest.mark.parametrize('variant,expected', MEGC2018)
def test_the_protocols_of_megc2018_change_what_they_say(name, variant, expected):
    """Its two evaluations differ in who is left out and in nothing else."""
    assert changed(name, variant) == expected
    settings.checked(config(name, variant))
    assert 'edition=2014' in config(name).data.name
    assert 'edition' not in config(name, 'sheet=newest').data.name


def test_the_first_edition_of_the_best_recogniser_is_what_it_was():
    """Figures of the docs would belong to another recogniser."""
    first = presets.best('megc2019_best')
    first.data.name, first.train.seeds = 'precomputed_flow', 5
    assert config('megc2019_best', 'first').to_dict() == first.to_dict()
    assert {'head.name', 'model.pretrain'} <= changed('megc2019_best', 'first').keys()
    quick = config('megc2019_best', 'first,quick')
    assert quick.head.name == 'svm' and not quick.model.pretrain
