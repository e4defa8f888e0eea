"""The published systems that config files begin with: base() with the input and training of a paper, and its variants."""

from ml_collections import ConfigDict

from configs.common import base, variants


def ststnet(name: str) -> ConfigDict:
    """base() with STSTNet's published input and training (Liong et al. 2019): raw 0..255 in the order cv2 reads the features."""
    c = base(name)
    c.data.channels = 'strain,v,u'
    c.data.value_range = '0..255'
    c.model.name = 'ststnet'
    c.train.epochs = 500
    c.train.batch_size = 256
    c.train.learning_rate = 5e-5
    return c


def dualbranch(name: str) -> ConfigDict:
    """base() with the input and training of Ruan et al. 2022; epochs end with a cycle of the rate (the paper's 100 do not)."""
    c = base(name)
    c.data.channels = 'magnified,on_a,off_a'
    c.data.labels = 'five'
    c.data.size = 224
    c.data.value_range = 'imagenet'
    c.model.name = 'dual_branch'
    c.train.update({'epochs': 70, 'batch_size': 128, 'optimizer': 'adamw', 'learning_rate': 3e-3, 'weight_decay': 1e-5,
                    'schedule': 'restarts', 'learner': 'contrastive', 'class_weights': 'max', 'label_smoothing': 0.1})
    c.augment.update({'flip': 0.5, 'erase': 0.5, 'replace': 0.5})
    return c


def cnn3d(name: str, data: str) -> ConfigDict:
    """base() with the input and training of Irawan et al. 2024, who do not tell frames a clip, and of epochs 50, 10 and 5."""
    c = base(name)
    c.data.name = data
    c.data.channels = 'gray'
    c.data.labels = 'irawan3'
    c.data.size = 128
    c.data.mask = 'background'
    c.data.scale = 'standard'
    c.model.name = 'cnn3d'
    c.train.epochs = 50
    c.train.batch_size = 16
    c.evaluate.batch_size = 16  # activations of one clip take some 100 MB
    return c


def cnn3d_variants(c: ConfigDict, text: str) -> ConfigDict:
    """The variants of the paper's tables: as it is (st), augmented (da), SMOTE (scb), augmented with class weights (dacwb);
    `published`: its protocol, clips split 80/10/10 with subjects on both sides, and balanced before."""
    augmented = {'rotate': 15.0, 'crop': 0.1, 'contrast': 0.3, 'brightness': 0.3}

    def weighted(c):
        c.augment.update(augmented)
        c.train.class_weights = 'balanced'

    def published(c):
        c.protocol.update({'name': 'random_split', 'holdout': 0.1, 'validation': 0.1})
        c.balance.scope = 'all'

    return variants(c, text, published=published, variant={
        'st': lambda c: None, 'da': lambda c: c.augment.update(augmented),
        'scb': lambda c: c.balance.update({'method': 'smote'}), 'dacwb': weighted})


# Rows of Table 4 of Ruan et al. 2022: (network, Area Weighted Module, action unit alignment, Region Replacing)
_ABLATIONS = {
    'sb': ('single_branch', False, False, True), 'sb_au': ('single_branch', False, True, True),
    'db': ('dual_branch', False, False, True), 'db_au': ('dual_branch', False, True, True),
    'db_awm': ('dual_branch', True, False, True), 'all_no_rr': ('dual_branch', True, True, False),
    'all': ('dual_branch', True, True, True),
}


def _ablation(c, row):
    network, awm, alignment, replacing = _ABLATIONS[row]
    c.model.name = network
    c.model.dual_branch.awm = awm
    c.alignment.share = c.alignment.share if alignment else 0.0
    c.augment.replace = c.augment.replace if replacing else 0.0


def _target(c, frame):
    release = c.data.name.partition('/')[0]
    c.data.name = f'{release}/samer,target={frame}'
    if release == 'synthetic_faces':
        c.data.name = {'apex': release, 'magnified': f'{release}/magnified'}[frame]


def _as_published(c):
    """Every choice of the released code that this project departs from by default."""
    c.train.epochs = 100
    c.alignment.form = 'released'
    c.augment.replace_units = 'union'
    c.explain.aucam = 'released'
    c.data.jpeg = True


def dualbranch_variants(c: ConfigDict, text: str) -> ConfigDict:
    """The variants of the paper: its Table 4, its class schemes, and the comparisons of its text."""
    return variants(
        c, text,
        ablation={row: lambda c, row=row: _ablation(c, row) for row in _ABLATIONS},
        classes={'3': lambda c: c.data.update({'labels': 'samer3'}), '5': lambda c: c.data.update({'labels': 'five'})},
        target={frame: lambda c, frame=frame: _target(c, frame) for frame in ('apex', 'magnified')},
        alignment={form: lambda c, form=form: c.alignment.update({'form': form})
                   for form in ('clean', 'equal', 'released', 'paper')},
        sampler={'weighted': lambda c: c.train.update({'sampler': 'weighted', 'class_weights': 'none'})},
        published=_as_published)


def spotting(name: str, data: str) -> ConfigDict:
    """base() with the input and training of the apex spotter of Koo et al. 2022 (modified VGG-M), split by subject."""
    c = base(name)
    c.data.update({'name': data, 'rows': 'frames', 'channels': 'u,v', 'size': 75, 'scale': 'p995', 'value_range': '-1..1'})
    c.protocol.update({'name': 'kfold', 'folds': 5})
    c.model.name = 'vggm'
    c.train.update({'learner': 'spotting', 'epochs': 1000, 'batch_size': 64, 'learning_rate': 1e-4})
    return c


def spotting_variants(c: ConfigDict, text: str) -> ConfigDict:
    """The paper's labels and short paths; `path=best` is the spotter of this project; `published`: split by clip, a leak."""
    def best(c):
        c.spotting.update({'label': 'linear', 'decision': 'template'})

    paths = {path: lambda c, path=path: c.model.vggm.update({'path': path}) for path in ('none', 'v1', 'v2', 'v3', 'v4')}
    return variants(
        c, text, path=paths | {'best': best}, published=lambda c: c.protocol.update({'name': 'clip_kfold'}),
        label={kind: lambda c, kind=kind: c.spotting.update({'label': kind})
               for kind in ('linear', 'exponential', 'log', 'impulse')},
        merge={way: lambda c, way=way: c.model.vggm.update({'merge': way}) for way in ('concat', 'sum')})


def ocnet(name: str, data: str, size: int = 75) -> ConfigDict:
    """base() with the input and training of OC-Net (Koo et al. 2022) on flow in pixels; the batch is our choice."""
    c = base(name)
    c.data.update({'name': data, 'channels': 'u,v', 'size': size, 'scale': 'p995', 'value_range': '-1..1'})
    c.model.name = 'ocnet'
    c.train.update({'epochs': 500, 'seeds': 3, 'learning_rate': 6e-5})
    return c


# What the paper compares OC-Net with, each with the input and learning rate it was published with.
_NETWORKS = {
    'ocnet': {}, 'vggm': {'train.learning_rate': 1e-4}, 'alexnet': {'train.learning_rate': 1e-4},
    'dual_inception': {'train.learning_rate': 1e-3}, 'offapexnet': {'train.learning_rate': 1e-4},
    'ststnet': {'train.learning_rate': 5e-5, 'train.batch_size': 256, 'data.channels': 'strain,v,u'},
}
# How many of its first convolution units end in dropout, by the rows of the paper's Table 7.
_DROPPED = {'none': 0, '1': 1, '12': 2, '123': 3}


def ocnet_variants(c: ConfigDict, text: str, *, rates: bool = True) -> ConfigDict:
    """With the fold's own GAN (gan=on) or as the paper trained it, on all data (gan=all, a leak); the networks that OC-Net is
    compared with; the dropout variants of Table 7. rates=False: all networks train at the config's own rate."""
    def named(c, name):
        c.model.name = name
        c.update_from_flattened_dict({key: value for key, value in _NETWORKS[name].items()
                                      if key != 'train.learning_rate' or rates})
        if name == 'ststnet' and c.data.scale == 'stretch':
            c.data.value_range = '0..255'
        if name in ('vggm', 'alexnet'):
            c.data.size = max(c.data.size, 75)

    def gan(c, scope):
        c.balance.method = 'gan'
        c.gan.scope = scope

    return variants(
        c, text, gan={'on': lambda c: gan(c, 'fold'), 'off': lambda c: None, 'all': lambda c: gan(c, 'all')},
        network={name: lambda c, name=name: named(c, name) for name in _NETWORKS},
        dropout={name: lambda c, count=count: c.model.ocnet.update({'dropped': count})
                 for name, count in _DROPPED.items()})
