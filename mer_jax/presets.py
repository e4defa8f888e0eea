"""Starting points of config files: defaults, and published systems.

A system is base() with the input and the training of a paper, and its variants.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from mer_jax import models
from mer_jax.errors import UserError
from mer_jax.folds import PROTOCOLS
from mer_jax.settings import tree

Change = Callable[[ConfigDict], None]
# {variant: its change}, or {variant: {value: its change}}
Variants = dict[str, Change | dict[str, Change]]


def base(name: str) -> ConfigDict:
    """Return a config of all defaults.

    It is locked: a key that does not exist cannot be set.

    Args:
        name: of the config, in results.json and in the report.
    """
    settings = tree.all_settings(models.options())
    defaults = {key: setting.default for key, setting in settings.items()}
    return ConfigDict({'name': name, **tree.nested(defaults)}).lock()


def variants(c: ConfigDict, text: str, changes: Variants | None = None) -> ConfigDict:
    """Apply variants to a config.

    Args:
        c: the config, which is changed.
        text: the variants, joined by commas: 'gan=on,quick'.
        changes: all variants of the config; those of every config, such as quick, are added.

    Raises:
        UserError: there is no such variant, or it has no such value.
    """
    every = {**(changes or {}), **COMMON_VARIANTS}
    # quick comes last, so that no other variant undoes it
    for part in sorted(filter(None, text.split(',')), key=lambda part: part in COMMON_VARIANTS):
        name, _, value = part.partition('=')
        change = every.get(name)
        if isinstance(change, dict):
            change = change.get(value)
        elif value:
            change = None
        if change is None:
            raise UserError(f'{c.name} has no variant {part!r}; known: {_listed(every)}')
        change(c)
    return c


def _listed(variants):
    """Return such as 'gan=on|off, quick'."""
    texts = []
    for name, change in sorted(variants.items()):
        texts.append(f'{name}={"|".join(change)}' if isinstance(change, dict) else name)
    return ', '.join(texts)


def quick(c: ConfigDict) -> None:
    """Shrink any config so that it runs in seconds.

    Five synthetic subjects, two epochs, and a fixed plan.
    """
    spotting = c.data.task == 'spotting'
    c.data.name = 'synthetic_faces/spotting_tiny' if spotting else 'synthetic_faces/tiny'
    c.data.apex = ''
    # one data set is left, so that none can be left out
    if PROTOCOLS[c.protocol.name].one_data_set:
        c.protocol.name = 'loso'
    c.data.frames = min(c.data.frames, models.NETWORKS[c.model.name].quick_frames)
    c.data.size = min(c.data.size, models.NETWORKS[c.model.name].quick_size)
    if c.data.channels == 'gray' or c.data.channels.startswith('magnified'):
        c.data.size = min(c.data.size, 32)
    c.data.manual_dir = ''
    c.data.landmarks = ''
    c.data.detector = ''
    c.data.magnet = ''
    c.data.action_units = ''
    if c.model.pretrain:
        c.model.pretrain, c.pretrain.epochs = 'synthetic_faces/tiny', 1
    for section in (c.head, c.detectors):
        if section.drawn:
            section.drawn = 'synthetic_faces/tiny'
    # A spotting clip has dozens of rows.
    c.train.epochs = min(c.train.epochs, 1 if spotting else 2)
    c.head.inner_folds = 2
    c.detectors.update({'inner_folds': 2, 'cost': (2.0,), 'gamma': (0.5,)})
    c.train.seeds = 1
    c.train.at_once = 1
    c.train.lowering = 'matmul'
    for name, network in models.NETWORKS.items():
        c.model[name].update(network.quick)
    c.gan.update({'images_per_class': 4, 'size': 16, 'width': 4, 'steps': 4})
    c.explain.clips = min(c.explain.clips, 4)


COMMON_VARIANTS: Variants = {'quick': quick}  # of every config; they come last


# Flow in pixels, divided by its 99.5th percentile among the training rows of the fold.
IN_PIXELS = {'clip_normalise': False, 'input_scaler': 'p995'}
# Minus the mean of the training rows of the fold, divided by their standard deviation.
STANDARDISED = {'clip_normalise': False, 'input_scaler': 'standard'}


def ststnet(name: str) -> ConfigDict:
    """STSTNet with its published input and training.

    Liong et al. 2019; values 0..255, channels in the order in which OpenCV reads the features.
    """
    c = base(name)
    c.data.channels = 'strain,v,u'
    c.data.value_range = '0..255'
    c.model.name = 'ststnet'
    c.train.epochs = 500
    c.train.batch_size = 256
    c.train.learning_rate = 5e-5
    return c


def ststnet_variants() -> Variants:
    """`published`: the Python code of the authors, which shows rows in order for 800 epochs."""

    def published(c: ConfigDict) -> None:
        c.train.update({'epochs': 800, 'sampler': 'in_order'})

    return {'published': published}


def htnet(name: str, data: str) -> ConfigDict:
    """HTNet with the input and training of its authors' code, at a quarter of its channels.

    Wang et al. 2023; the input is that of ststnet(). The published network has 16 times the
    parameters, and trains for 800 epochs.
    """
    c = base(name)
    c.data.update({'name': data, 'channels': 'strain,v,u', 'value_range': '0..255'})
    c.model.name = 'htnet'
    c.train.update({'epochs': 200, 'batch_size': 256, 'learning_rate': 5e-5})
    return c


def htnet_variants() -> Variants:
    """`published`: as released. `attention`: how many patches it weighs, where the published form
    has one: 2x2 (two levels, a little cheaper) or 7x7 (patches of one pixel, 50 times the cost).
    """

    def published(c: ConfigDict) -> None:
        c.model.htnet.dim = 256
        c.train.update({'epochs': 800, 'sampler': 'in_order'})

    return dict(
        published=published,
        attention={
            '1x1': lambda c: None,
            '2x2': lambda c: c.model.htnet.update({'hierarchies': 2}),
            '7x7': lambda c: c.model.htnet.update({'patch': 1}),
        },
    )


def sssnet(name: str, data: str, size: int) -> ConfigDict:
    """SSSNet with the training of its authors' public run.

    Varanka et al. 2021 and the notebook 'Figure 2' of MEB; without the second softmax of that run.
    """
    c = base(name)
    c.data.update({'name': data, 'size': size})
    c.model.name = 'sssnet'
    c.train.update(
        {
            'epochs': 200,
            'batch_size': 32,
            'optimizer': 'adam_l2',
            'learning_rate': 1e-4,
            'weight_decay': 1e-3,
        }
    )
    return c


def sssnet_variants() -> Variants:
    """`published`: 64 pixels, and a softmax of the outputs before that of the loss."""

    def published(c: ConfigDict) -> None:
        c.data.size = 64
        c.model.sssnet.softmax = True

    return {'published': published}


def action_units(name: str, data: str, size: int) -> ConfigDict:
    """SSSNet that detects action units, with the training of sssnet().

    Clips that show a unit weigh as much as all others: few units are in a tenth of the clips, and
    without weights most would never be detected.
    """
    c = sssnet(name, data, size)
    c.data.task = 'action_units'
    c.train.class_weights = 'balanced'
    return c


def action_units_variants() -> Variants:
    """`weights=off`: every entry of the loss weighs the same, as in the public code of CD6ME;
    `head=svm`: an SVM for each unit, on four kinds of features, in place of the network.
    """

    def by_svms(c: ConfigDict) -> None:
        c.train.update({'epochs': 0, 'class_weights': 'none'})
        c.head.update({'name': 'svm', **c.detectors})

    return {
        'weights': {'off': lambda c: c.train.update({'class_weights': 'none'})},
        'head': {'svm': by_svms},
    }


def rcn_a(name: str, data: str, size: int) -> ConfigDict:
    """RCN-A with the training of its authors' code (Xia et al. 2020).

    32 maps and a grid of 5x5, as in the example of its page.
    """
    c = base(name)
    c.data.update({'name': data, 'size': size})
    c.model.name = 'rcn_a'
    c.train.update({'epochs': 100, 'optimizer': 'sgd', 'learning_rate': 5e-4, 'momentum': 0.9})
    return c


def rcn_a_variants() -> Variants:
    """`published`: the defaults of the released script, 64 maps and a grid of 7x7."""
    return {'published': lambda c: c.model.rcn_a.update({'width': 64, 'grid': 7})}


def two_stream_variants() -> Variants:
    """`published`: batches as in the one public code of OffApexNet and Dual-Inception, which others
    wrote (ECNU-Cross-Innovation-Lab/PRICAI2021-Off-TANet).
    """
    return {'published': lambda c: c.train.update({'batch_size': 64})}


def dualbranch(name: str) -> ConfigDict:
    """The dual-branch network with its published input and training.

    Ruan et al. 2022. 70 epochs, because a cycle of the learning rate ends there (the paper has
    100).
    """
    c = base(name)
    c.data.channels = 'magnified,on_a,off_a'
    c.data.labels = 'five'
    c.data.size = 224
    c.data.value_range = 'imagenet'
    c.model.name = 'dual_branch'
    c.train.update(
        {
            'epochs': 70,
            'batch_size': 128,
            'optimizer': 'adamw',
            'learning_rate': 3e-3,
            'weight_decay': 1e-5,
            'schedule': 'restarts',
            'learner': 'contrastive',
            'class_weights': 'max',
            'label_smoothing': 0.1,
        }
    )
    c.augment.update({'flip': 0.5, 'erase': 0.5, 'replace': 0.5})
    return c


def cnn3d(name: str, data: str) -> ConfigDict:
    """The 3-D network with its published input and training.

    Irawan et al. 2024. The paper does not give the number of frames; it names 50, 10 and 5 epochs.
    """
    c = base(name)
    c.data.name = data
    c.data.channels = 'gray'
    c.data.labels = 'irawan3'
    c.data.size = 128
    c.data.mask = 'background'
    c.data.update(STANDARDISED)
    c.model.name = 'cnn3d'
    c.train.epochs = 50
    c.train.batch_size = 16
    c.evaluate.batch_size = 16  # activations of one clip take some 100 MB
    return c


def microexpstcnn(name: str, data: str) -> ConfigDict:
    """base() with the input and training of MicroExpSTCNN on SMIC (Reddy et al. 2019): Keras's SGD
    as it is by default.
    """
    c = base(name)
    c.data.update({'name': data, 'channels': 'gray', 'frames': 18, 'size': 64})
    c.data.update({'clip_normalise': False, 'input_scaler': 'mean_max'})
    c.model.name = 'microexpstcnn'
    c.train.update({'epochs': 100, 'batch_size': 16, 'optimizer': 'sgd'})
    c.train.update({'learning_rate': 0.01, 'momentum': 0.0})
    c.evaluate.batch_size = 16
    return c


def microexpstcnn_variants() -> Variants:
    """`published`: clips split 80/20 and scaled before; `oracle_epoch` in the results is what the
    authors report, the best epoch on the 20 %.
    """

    def published(c: ConfigDict) -> None:
        c.protocol.update({'name': 'random_split', 'holdout': 0.2})
        c.data.scaler_scope = 'all'
        c.evaluate.every_epoch = True

    return {'published': published}


def cnn3d_variants() -> Variants:
    """The variants in the tables of the paper.

    variant: st (unchanged), da (augmented), scb (SMOTE), dacwb (augmented, with class weights).
    published: the protocol of the paper, a leak: clips are split 80/10/10 at random, and balanced
    before.
    """
    augmented = {'rotate': 15.0, 'crop': 0.1, 'contrast': 0.3, 'brightness': 0.3}

    def weighted(c: ConfigDict) -> None:
        c.augment.update(augmented)
        c.train.class_weights = 'balanced'

    def published(c: ConfigDict) -> None:
        c.protocol.update({'name': 'random_split', 'holdout': 0.1, 'validation': 0.1})
        c.balance.scope = 'all'

    return dict(
        published=published,
        variant={
            'st': lambda c: None,
            'da': lambda c: c.augment.update(augmented),
            'scb': lambda c: c.balance.update({'method': 'smote'}),
            'dacwb': weighted,
        },
    )


# Rows of Table 4 of Ruan et al. 2022: (network, Area Weighted Module, action unit alignment, Region
# Replacing)
_ABLATIONS = {
    'sb': ('single_branch', False, False, True),
    'sb_au': ('single_branch', False, True, True),
    'db': ('dual_branch', False, False, True),
    'db_au': ('dual_branch', False, True, True),
    'db_awm': ('dual_branch', True, False, True),
    'all_no_rr': ('dual_branch', True, True, False),
    'all': ('dual_branch', True, True, True),
}


def _ablation(c, row):
    network, awm, alignment, replacing = _ABLATIONS[row]
    c.model.name = network
    c.model.dual_branch.awm = awm
    c.alignment.weight = c.alignment.weight if alignment else 0.0
    c.augment.replace = c.augment.replace if replacing else 0.0


def _is_drawn(c):
    return c.data.name.partition('/')[0] == 'synthetic_faces'


def _target(c, frame):
    if not _is_drawn(c):
        c.data.name += f',target={frame}'
    elif frame == 'magnified':
        c.data.name = 'synthetic_faces/magnified'


def _five_classes(c):
    c.data.labels = 'five'
    if c.data.name == 'synthetic_faces/three':
        c.data.name = 'synthetic_faces'


def _as_published(c):
    """Use the choices of the released code."""
    c.train.epochs = 100
    c.alignment.variant = 'released'
    c.augment.replace_units = 'union'
    c.explain.au_cam = 'released'
    for network in ('dual_branch', 'single_branch'):
        c.model[network].initial_kernels = 'normal'
    if not _is_drawn(c):
        c.data.name += ',flow_size=crop,jpeg=on,reference_units=count'


def dualbranch_variants() -> Variants:
    """The variants of the paper: Table 4, classes, comparisons."""
    return dict(
        ablation={row: lambda c, row=row: _ablation(c, row) for row in _ABLATIONS},
        classes={'3': lambda c: c.data.update({'labels': 'samer3'}), '5': _five_classes},
        target={frame: lambda c, frame=frame: _target(c, frame) for frame in ('apex', 'magnified')},
        alignment={
            variant: lambda c, variant=variant: c.alignment.update({'variant': variant})
            for variant in ('clean', 'equal', 'released', 'paper')
        },
        sampler={
            'weighted': lambda c: c.train.update({'sampler': 'weighted', 'class_weights': 'none'})
        },
        published=_as_published,
    )


def spotting(name: str, data: str) -> ConfigDict:
    """The apex spotter with its published input and training.

    Koo et al. 2022, a modified VGG-M; here split by subject.
    """
    c = base(name)
    c.data.update(
        {
            'name': data,
            'task': 'spotting',
            'channels': 'u,v',
            'size': 75,
            'value_range': '-1..1',
            **IN_PIXELS,
        }
    )
    c.protocol.update({'name': 'kfold', 'folds': 5})
    c.model.name = 'vggm'
    c.train.update({'epochs': 1000, 'batch_size': 64, 'learning_rate': 1e-4})
    return c


def spotting_variants() -> Variants:
    """The labels and short paths of the paper.

    path=best: the spotter of this project. published: clips are split at random, a leak.
    """

    def best(c: ConfigDict) -> None:
        c.spotting.update({'label': 'linear', 'decoder': 'template'})

    paths = {
        path: lambda c, path=path: c.model.vggm.update({'path': path})
        for path in ('none', 'v1', 'v2', 'v3', 'v4')
    }
    return dict(
        path=paths | {'best': best},
        published=lambda c: c.protocol.update({'name': 'clip_kfold'}),
        label={
            kind: lambda c, kind=kind: c.spotting.update({'label': kind})
            for kind in ('linear', 'exponential', 'log', 'impulse')
        },
        merge={
            way: lambda c, way=way: c.model.vggm.update({'merge': way}) for way in ('concat', 'sum')
        },
    )


def ocnet(name: str, data: str, size: int = 75) -> ConfigDict:
    """OC-Net with its published input and training.

    Koo et al. 2022, on flow in pixels; the batch size is our choice.
    """
    c = base(name)
    c.data.update(
        {'name': data, 'channels': 'u,v', 'size': size, 'value_range': '-1..1', **IN_PIXELS}
    )
    c.model.name = 'ocnet'
    c.train.update({'epochs': 500, 'seeds': 3, 'learning_rate': 6e-5})
    return c


# The networks that the paper compares OC-Net with, with their published input and learning rate.
_NETWORKS = {
    'ocnet': {},
    'vggm': {'train.learning_rate': 1e-4, 'data.size': 75},
    'alexnet': {'train.learning_rate': 1e-4, 'data.size': 75},
    'dual_inception': {'train.learning_rate': 1e-3},
    'offapexnet': {'train.learning_rate': 1e-4},
    'ststnet': {
        'train.learning_rate': 5e-5,
        'train.batch_size': 256,
        'data.channels': 'strain,v,u',
    },
}
# Further changes where flow is stretched to bytes.
_STRETCHED = {'ststnet': {'data.value_range': '0..255'}}
# How many of the first convolution units end in dropout, by the rows of Table 7 of the paper.
_DROPOUT_UNITS = {'none': 0, '1': 1, '12': 2, '123': 3}


def gan_variants() -> Variants:
    """The variants of the GAN of document 004.

    gan: on (a GAN per fold) or all (one GAN on all data, as in the paper, a leak). published: all,
    at the printed learning rate, its discriminator with a softmax.
    """

    def gan(c: ConfigDict, scope: str) -> None:
        c.balance.method = 'gan'
        c.gan.scope = scope

    def published(c: ConfigDict) -> None:
        gan(c, 'all')
        c.gan.learning_rate = 0.002
        c.gan.discriminator_output = 'softmax'

    return dict(
        gan={'on': lambda c: gan(c, 'fold'), 'off': lambda c: None, 'all': lambda c: gan(c, 'all')},
        published=published,
    )


def ocnet_variants(rates: bool = True) -> Variants:
    """The variants of the OC-Net paper.

    Those of gan_variants. network: those that OC-Net is compared with. dropout: rows of Table 7.

    Args:
        rates: whether each network has its published learning rate, not that of the config.
    """

    def named(c: ConfigDict, name: str) -> None:
        changes = dict(_NETWORKS[name])
        if c.data.clip_normalise:
            changes |= _STRETCHED.get(name, {})
        if not rates:
            changes.pop('train.learning_rate', None)
        c.model.name = name
        c.update_from_flattened_dict(changes)

    return dict(
        **gan_variants(),
        network={name: lambda c, name=name: named(c, name) for name in _NETWORKS},
        dropout={
            name: lambda c, count=count: c.model.ocnet.update({'dropout_units': count})
            for name, count in _DROPOUT_UNITS.items()
        },
    )


def svm(name: str, features: str) -> ConfigDict:
    """An SVM on features of the clips, without a network.

    Its kernel is rbf with C = 100 and gamma = 0.001; classes are balanced.
    """
    c = base(name)
    c.head.update({'name': 'svm', 'features': features})
    c.train.epochs = 0
    return c


def best(name: str) -> ConfigDict:
    """SVMs on four kinds of features, mirrored too.

    Cost and width of the kernel are chosen in each fold by groups of its training subjects; the
    five best choices answer together.
    """
    c = svm(name, 'motion+gradient+orientation+deformation')
    c.head.update(
        {
            'scale': 'blocks',
            'cost': (0.5, 1.0, 2.0, 4.0, 8.0),
            'gamma': (0.25, 0.5, 1.0, 2.0),
            'top_k': 5,
            'mirror': True,
        }
    )
    return c


def with_drawn_network(c: ConfigDict, faces: str) -> ConfigDict:
    """Add a small network that drawn faces alone train, as a member of a stack.

    Args:
        c: of SVMs; is changed.
        faces: drawn faces, as in model.pretrain.

    Returns:
        c.
    """
    c.head.name = 'stack'
    c.model.name = 'flow_cnn'
    c.model.pretrain = faces
    c.pretrain.update({'epochs': 8, 'learning_rate': 2e-3})
    c.train.update(
        {'batch_size': 64, 'optimizer': 'adamw', 'weight_decay': 0.01, 'schedule': 'cosine'}
    )
    return c


def units(name: str) -> ConfigDict:
    """Detected action units, then a logistic regression of few numbers: a recogniser by units."""
    c = svm(name, 'detected_units')
    c.head.update({'name': 'logistic', 'cost': (0.01, 0.1, 1.0, 10.0)})
    return c


# Handcrafted baselines: their features, and their published SVM where a paper names it.
HANDCRAFTED = {
    'flow': {
        'head.features': 'pixels',
        'head.kernel': 'linear',
        'head.scale': 'none',
        'head.cost': (0.001,),
    },
    'hoof': {'head.features': 'hoof'},
    'bi_woof': {'head.features': 'bi_woof'},
    'bi_woof_centred': {'head.features': 'bi_woof_centred'},
    'lbp_top': {'head.features': 'lbp_top', 'head.kernel': 'linear', 'head.cost': (1.0,)},
    'mdmo': {'head.features': 'mdmo', 'head.cost': (28.0,)},
}
_OF_VIDEO = ('lbp_top', 'mdmo')


def handcrafted(name: str, data: str) -> ConfigDict:
    """svm() on flow from onset to apex at 64 pixels."""
    c = svm(name, 'hoof')
    c.data.update({'name': data, 'labels': 'four', 'size': 64, **IN_PIXELS})
    return c


def handcrafted_variants() -> Variants:
    """The handcrafted features.

    flow: flow itself, with a linear SVM. hoof: histograms of its directions. bi_woof: those
    histograms weighted by strain as published; bi_woof_centred: our form of them. lbp_top, mdmo: of
    the video. published: bi_woof, of which alone the authors released code.
    """

    def described(c: ConfigDict, name: str) -> None:
        c.update_from_flattened_dict(HANDCRAFTED[name])
        if name in _OF_VIDEO:
            video = c.data.name.replace('/flow', '/video')
            c.data.update({'name': video, 'channels': 'gray', 'frames': 10, 'size': 128})
            c.data.update({'clip_normalise': True, 'input_scaler': 'none'})

    return dict(
        features={name: lambda c, name=name: described(c, name) for name in HANDCRAFTED},
        published=lambda c: described(c, 'bi_woof'),
    )


def hybrid(name: str, data: str) -> ConfigDict:
    """A hybrid: an SVM, partly on network features.

    Its 216 features are the last layer of a network, strain in regions of action units, and
    directions of flow (the seed documents 000 and 001; the second has a weight for disgust).
    """
    c = base(name)
    c.data.update(
        {
            'name': data,
            'labels': 'four',
            'size': 64,
            **STANDARDISED,
            'channels': 'onset,apex,offset,u,v,strain,u2,v2,strain2',
        }
    )
    c.model.name = 'hybrid_cnn'
    c.train.update(
        {
            'epochs': 50,
            'batch_size': 32,
            'optimizer': 'adam_l2',
            'weight_decay': 1e-4,
            'class_weights': 'balanced',
        }
    )
    c.head.update({'name': 'svm', 'features': 'network+au_strain+bands'})
    return c


def hybrid_variants() -> Variants:
    """The ablation of document 000.

    features: cnn (a network on key frames), flow (with flow), au (with strain by action units),
    all, or hand (without a network). augment=on: copies up to the size of the largest class,
    changed each time. disgust=on: its regions count twice. split=random, leak=on: leaks. published:
    what document 000 prints, which is augment=on.
    """

    def on_frames(c: ConfigDict) -> None:
        c.data.channels = 'onset,apex,offset'
        c.head.features = 'network'

    def hand(c: ConfigDict) -> None:
        c.head.features = 'au_strain+bands'
        c.train.update({'epochs': 0, 'class_weights': 'none'})

    def augmented(c: ConfigDict) -> None:
        c.balance.method = 'augment'
        c.augment.update(
            {'rotate': 5.0, 'contrast': 0.2, 'brightness': 0.2, 'noise': 0.01, 'flow_scale': 0.1}
        )

    return dict(
        augment={'on': augmented, 'off': lambda c: None},
        published=augmented,
        features={
            'cnn': on_frames,
            'flow': lambda c: c.head.update({'features': 'network'}),
            'hand': hand,
            'au': lambda c: c.head.update({'features': 'network+au_strain'}),
            'all': lambda c: None,
        },
        disgust={
            'on': lambda c: c.head.update({'features': f'{c.head.features}+disgust'}),
            'off': lambda c: None,
        },
        split={
            'random': lambda c: c.protocol.update({'name': 'random_split'}),
            'subject': lambda c: None,
        },
        leak={'on': lambda c: c.head.update({'scope': 'all'}), 'off': lambda c: None},
    )


# Train on some data sets, test on another; or leave subjects out over all of them together.
ACROSS: Variants = {
    'protocol': {
        'lodo': lambda c: c.protocol.update({'name': 'lodo'}),
        'loso': lambda c: c.protocol.update({'name': 'loso'}),
    }
}


def across(c: ConfigDict, data: str) -> ConfigDict:
    """A system on several data sets, each left out once, three classes as in MEGC2019.

    Args:
        c: of the system; is changed.
        data: the data sets, joined by '+'.
    """
    c.data.update({'name': data, 'labels': 'megc3'})
    c.protocol.name = 'lodo'
    return c


def megc2018(c: ConfigDict, data: str) -> ConfigDict:
    """A system under MEGC2018 (Yap et al., FG 2018): objective classes I to V, CASME II and SAMM.

    The default is its hold-out-database evaluation: train on one, test on the other, both ways.

    Args:
        c: of the system; is changed.
        data: CASME II and SAMM, joined by '+'. The published classes are made from the action units
            of the sheet of 2014.
    """
    across(c, data)
    c.data.labels = 'objective'
    return c


def megc2018_variants() -> Variants:
    """protocol=hde: hold-out-database evaluation; cde: composite database evaluation, one subject
    left out; classes=7: all objective classes; sheet=newest: CASME II by its newest sheet.
    """
    return dict(
        protocol={'hde': ACROSS['protocol']['lodo'], 'cde': ACROSS['protocol']['loso']},
        classes={'5': lambda c: None, '7': lambda c: c.data.update({'labels': 'objective7'})},
        sheet={
            '2014': lambda c: None,
            'newest': lambda c: c.data.update({'name': c.data.name.replace(',edition=2014', '')}),
        },
    )


def without(changes: Variants, names: tuple[str, ...]) -> Variants:
    """Variants without those of some names, which are made for one data set."""
    return {name: change for name, change in changes.items() if name not in names}
