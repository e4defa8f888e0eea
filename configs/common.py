"""base(): every setting of the project, once, typed, with its reason. A config file says only what differs.

No None and no lists: a locked config refuses to override either from the command line. 0, 0.0 and '' switch off.
"""

from ml_collections import ConfigDict

from mer_jax.errors import UserError


def base(name: str) -> ConfigDict:
    """Every setting with its default; `name` stands in results.json and in the report."""
    parts = {'data': _data(), 'protocol': _protocol(), 'model': _model(), 'train': _train(), 'evaluate': _evaluate()}
    return ConfigDict({'name': name, **parts}).lock()


def _data():
    """What the network sees."""
    c = ConfigDict()
    c.name = 'synthetic_faces'  # a TFDS data set, 'set/variant', 'release/flow,edition=2014', or 'a+b' for a composite
    c.data_dir = ''  # where built data sets lie; '' = TFDS_DATA_DIR, else ~/tensorflow_datasets
    c.manual_dir = ''  # the folder that holds a release (or published features) as its authors ship it; 'A+B': one each
    c.rebuild = False  # build again although a finished build is there
    c.landmarks = ''  # releases: a landmark model (.task, .dat) or OpenFace folder; '' = a template fitted to the eyes
    c.magnet = ''  # weights of the learned magnifier, for 'release/samer,magnifier=magnet'
    c.labels = 'megc3'  # label scheme: megc3 | five | four | samer3 | irawan3 (mer_jax/labels.py says which emotion is which)
    c.channels = 'u,v,strain'  # flow channels the network sees, in this order
    c.size = 28  # pixels, height and width of the network's input
    c.mask = 'none'  # none | background (keep eyes and mouth) | eyes_mouth (black them out)
    c.frames = 16  # of each clip of 'release/video', evenly from onset to offset; other inputs have no frames
    c.scale = 'stretch'  # stretch: each channel of each clip to its own min and max | p995: by the fold's training rows
    c.value_range = '0..1'  # what the smallest and largest value become: 0..255 | 0..1 | -1..1
    return c


def _protocol():
    """Who is left out."""
    c = ConfigDict()
    c.name = 'loso'  # loso | lodo | kfold | holdout | all_rows | random_split (leaks)
    c.folds = 5  # kfold: groups of subjects
    c.holdout = 0.2  # holdout, random_split: share of the subjects, of the clips
    c.seed = 0  # kfold, holdout, random_split: which split
    return c


def _model():
    """Networks; keyword arguments of each, so that overriding model.name alone works."""
    c = ConfigDict()
    c.name = 'ststnet'
    c.init_from = ''  # PyTorch weights: file.safetensors, file.pth, or one a fold: 'folder/{subject}.pth'
    c.ststnet = ConfigDict({'dropout': 0.5})
    c.offapexnet = ConfigDict({'dropout': 0.5})
    c.dual_inception = ConfigDict({'dropout': 0.5})
    c.alexnet = ConfigDict({'dropout': 0.5, 'hidden': 4096})
    c.vggm = ConfigDict({'dropout': 0.5})
    c.ocnet = ConfigDict({'dropout': 0.5})
    # The learned motion magnifier: trained on made-up pictures of `size` pixels a side (a multiple of 4), by steps instead
    # of epochs; weight: of the texture and shape terms of the loss; noise: most shot noise, 0.0 = none.
    c.magnet = ConfigDict({'seed': 0, 'steps': 20_000, 'batch_size': 4, 'size': 64, 'learning_rate': 1e-4, 'weight': 1.0,
                           'noise': 0.3})
    return c


def _train():
    """The training of every fold."""
    c = ConfigDict()
    c.epochs = 100  # the last state is the result: no epoch is chosen
    c.seeds = 1  # trainings of every fold, seeds 0 .. seeds-1; results are their mean and spread
    c.batch_size = 64  # most rows in a step; an epoch is cut into equal steps
    c.optimizer = 'adam'  # adam | adamw | sgd
    c.learning_rate = 1e-3
    c.weight_decay = 0.0  # adamw only
    c.momentum = 0.9  # sgd only
    c.schedule = 'constant'  # constant | cosine (to 0 at the last epoch; such a run cannot take more epochs later)
    c.at_once = 0  # folds that a device trains side by side; 0 = measured at the start
    c.lowering = 'auto'  # convolutions as matmul (patches and one product) or native; auto = measured
    c.devices = 0  # devices to use; 0 = all, unless one alone measures faster
    c.group = 0  # runs in memory at a time; 0 = as many as fit
    c.checkpoint_seconds = 60.0  # between checkpoints (20 times what one takes, if longer); 0 = after every compiled call
    return c


def _evaluate():
    """The held-out rows."""
    c = ConfigDict()
    c.every_epoch = False  # keep held-out outputs of every epoch, for the oracle_epoch block; feeds nothing back
    c.batch_size = 256
    return c


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


def variants(c: ConfigDict, text: str, **known) -> ConfigDict:
    """Apply the comma-separated variants of `config.py:text`; known maps a name to a function(config[, value]).

    `quick` is known everywhere. Raises UserError for a variant that is not.
    """
    known = {'quick': quick, **known}
    for part in filter(None, text.split(',')):
        name, _, value = part.partition('=')
        if name not in known:
            raise UserError(f'{c.name} has no variant {name!r}; known: {", ".join(sorted(known))}')
        known[name](c, value) if value else known[name](c)
    return c


def quick(c: ConfigDict) -> None:
    """Shrink any config to seconds: five synthetic subjects, two epochs, nothing measured."""
    c.data.name = 'synthetic_faces/tiny'
    c.data.manual_dir = ''
    c.data.landmarks = ''
    c.data.magnet = ''
    c.train.epochs = min(c.train.epochs, 2)
    c.train.seeds = 1
    c.train.at_once = 1
    c.train.lowering = 'matmul'
    c.model.alexnet.hidden = 64
    c.model.magnet.update({'steps': 4, 'size': 32})
