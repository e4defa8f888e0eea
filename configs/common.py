"""base(): every setting of the project, once, typed, with its reason. A config file says only what
differs.

No None and no lists: a locked config refuses to override either from the command line. 0, 0.0 and
'' switch off.
"""

from ml_collections import ConfigDict

from mer_jax.errors import UserError


def base(name: str) -> ConfigDict:
    """Every setting with its default; `name` stands in results.json and in the report."""
    parts = {
        'data': _data(),
        'spotting': _spotting(),
        'protocol': _protocol(),
        'model': _model(),
        'train': _train(),
        'balance': _balance(),
        'gan': _gan(),
        'alignment': _alignment(),
        'augment': _augment(),
        'evaluate': _evaluate(),
        'explain': _explain(),
        'head': _head(),
    }
    return ConfigDict({'name': name, **parts}).lock()


def _data():
    """What the network sees."""
    c = ConfigDict()
    # a TFDS data set, 'set/variant', 'release/flow,edition=2014', or 'a+b' for a composite
    c.name = 'synthetic_faces'
    c.data_dir = ''  # where built data sets lie; '' = TFDS_DATA_DIR, else ~/tensorflow_datasets
    # the folder that holds a release (or published features) as its authors ship it; 'A+B': one
    # each
    c.manual_dir = ''
    c.rebuild = False  # build again although a finished build is there
    # releases: a landmark model (.task, .dat) or OpenFace folder; '' = a template fitted to the
    # eyes
    c.landmarks = ''
    c.magnet = ''  # weights of the learned magnifier, for 'release/samer,magnifier=magnet'
    # what a row is, one of TASKS in mer_jax/experiment/__init__.py: clips (recognition) or frames
    # (apex spotting, see spotting below)
    c.rows = 'clips'
    # of clips without an annotated apex: '' as the data set estimated it | midpoint | peak | the
    # folder of a finished spotting run by loso; these three read the flow of every frame
    # ('smic/spotting', channels u,v)
    c.apex = ''
    # label scheme: megc3 | five | four | samer3 | irawan3; mer_jax/data/labels.py says which
    # emotion is which
    c.labels = 'megc3'
    # what the network sees, in this order; of 'release/samer': magnified,on_a,off_a; video: gray;
    # of 'release/flow' also gray key frames and both halves of the motion:
    # onset,apex,offset,u,v,strain,u2,v2,strain2
    c.channels = 'u,v,strain'
    c.size = 28  # pixels, height and width of the network's input
    c.mask = 'none'  # none | background (keep eyes and mouth) | eyes_mouth (black them out)
    # of each clip of a video, evenly from onset to offset; other inputs have no frames
    c.frames = 16
    c.difference = False  # video: each frame less the one at onset, so that what moves remains
    # stretch: each channel of each clip to its own min and max; fitted to the fold's training rows:
    # p995 (divided by the 99.5th percentile) | standard (less the mean, divided by the standard
    # deviation)
    c.scale = 'stretch'
    c.scale_scope = 'fold'  # what p995 and standard are fitted to: fold | all (leaks)
    # what the smallest and largest value become: 0..255 | 0..1 | -1..1 | imagenet; not of
    # 'standard'
    c.value_range = '0..1'
    # action units of the left and right half apart: 'L12' and 'R12' (both, where no side is told)
    c.sides = False
    # one class a subject, drawn at random: a control that no honest protocol can tell
    c.drawn_labels = False
    c.jpeg = False  # of magnified,on_a,off_a: once through JPEG, as published; it mixes the three
    return c


def _spotting():
    """Apex spotting (data.rows frames, train.learner spotting): a continuous label of each frame is
    learned.
    """
    c = ConfigDict()
    # of frames, 0 at onset and offset, 1 at the apex: linear | exponential | log | impulse
    c.label = 'linear'
    c.steepness = 3.0  # k of exponential and log
    c.sigma = 0.0  # impulse: standard deviation in frames of a softened one
    c.output = 'sigmoid'  # of frames: sigmoid | linear
    c.window = 9  # frames of SW-Max; that many count as one observation of the template
    # whose error is the run's own; all are reported: max | sw_max | template (see
    # decoders.template)
    c.decision = 'sw_max'
    return c


def _protocol():
    """Who is left out."""
    c = ConfigDict()
    c.name = 'loso'  # one of PROTOCOLS in mer_jax/folds/__init__.py, which says which of them leak
    c.folds = 5  # kfold: groups of subjects; clip_kfold: of clips
    c.holdout = 0.2  # holdout, random_split: share of the subjects, of the clips
    c.seed = 0  # kfold, holdout, random_split, clip_kfold, validation: which split
    # share of all subjects (clips, where clips are split) that neither train nor are tested, to
    # choose by
    c.validation = 0.0
    # what is predicted and scored: test | validation (the verb grid chooses by it)
    c.scored = 'test'
    return c


def _model():
    """Networks; keyword arguments of each, so that overriding model.name alone works."""
    c = ConfigDict()
    c.name = 'ststnet'  # one of NETWORKS in mer_jax/models/__init__.py
    # PyTorch weights: file.safetensors, file.pth, or one a fold: 'folder/{subject}.pth'
    c.init_from = ''
    c.ststnet = ConfigDict({'dropout': 0.5})
    c.offapexnet = ConfigDict({'dropout': 0.5})
    c.dual_inception = ConfigDict({'dropout': 0.5})
    c.alexnet = ConfigDict({'dropout': 0.5, 'hidden': 4096})
    # width: channels of the first convolution, 96 as published; path: short path none | v1 | v2 |
    # v3 | v4, joined by merge: concat | sum
    c.vggm = ConfigDict({'width': 96, 'path': 'none', 'merge': 'concat', 'dropout': 0.5})
    # width: channels of the first convolutions; arch: default | literal (one convolution); head of
    # the default: grid4 | gap | flatten
    c.cnn3d = ConfigDict(
        {'width': 64, 'arch': 'default', 'head': 'grid4', 'dropout': 0.25, 'dropout_dense': 0.5}
    )
    c.microexpstcnn = ConfigDict({'dropout': 0.5})
    # dropout after so many convolution units
    c.ocnet = ConfigDict({'width': 32, 'dropped': 2, 'dropout': 0.5})
    # width: channels of layer 1, 64 as in ResNet18; blocks: of a layer, 2 as in ResNet18; hidden: h
    # of the Area Weighted Module (awm); attention: released | paper | sanet | off; fuse the regions
    # by logits | probs; for small pictures: pool=False leaves the max-pool of the stem out, fine=1
    # the stride of layer 4, 2 those of layers 3 and 4; dtype: bfloat16 computes so, parameters stay
    # float32; remat: less memory, a third more time.
    c.dual_branch = ConfigDict(
        {
            'width': 64,
            'blocks': 2,
            'hidden': 1024,
            'awm': True,
            'attention': 'released',
            'groups': 4,
            'fuse': 'logits',
            'pool': True,
            'fine': 0,
            'dropout': 0.2,
            'dropout_dense': 0.3,
            'dropout_contrast': 0.1,
            'dtype': 'float32',
            'remat': False,
        }
    )
    c.single_branch = ConfigDict(
        {key: value for key, value in c.dual_branch.items() if key not in ('hidden', 'awm', 'fuse')}
    )
    # channels of layer 1, blocks of a layer; 64 and 2 are ResNet18
    c.hybrid_cnn = ConfigDict({'width': 64, 'blocks': 2})
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
    # constant | cosine (to 0 at the last epoch; such a run cannot take more epochs later) |
    # restarts (cosine over 10, 20, 40, ... epochs: stop where a cycle ends, at 10, 30, 70 or 150)
    c.schedule = 'constant'
    # one of LEARNERS in mer_jax/experiment/__init__.py: supervised has one head, contrastive those
    # of regions and the alignment below
    c.learner = 'supervised'
    # of the loss: none | max (n_max / n_c) | total (n / n_c) | balanced (n / (K n_c))
    c.class_weights = 'none'
    c.label_smoothing = 0.0
    # shuffle: every row once an epoch | weighted: rows drawn so that every class is as likely
    c.sampler = 'shuffle'
    # folds that a device trains side by side; 0 = measured at the start (with lowering pinned too,
    # nothing is)
    c.at_once = 0
    # convolutions as matmul (patches and one product) or native; auto = measured
    c.lowering = 'auto'
    c.devices = 0  # devices to use; 0 = all, unless one alone measures faster
    c.group = 0  # runs in memory at a time; 0 = as many as fit
    # networks train in plain Python, so that a breakpoint in one sees numbers; slow, and equal to
    # the compiled programs to about 1e-5 only (the flag --debug is another: it shows tracebacks)
    c.fold_by_fold = False
    # between checkpoints (20 times what one takes, if longer); 0 = after every compiled call
    c.checkpoint_seconds = 60.0
    return c


def _balance():
    """Rows made against unequal classes, until each class of a fold has as many as its most
    frequent one.
    """
    c = ConfigDict()
    c.method = 'none'  # one of RESAMPLERS in mer_jax/folds/__init__.py
    c.neighbours = 5  # smote: mixes a row with one of so many, fewer where its class has fewer rows
    # smote: where neighbours are near: pixels | features (principal components of the fold's rows)
    c.space = 'pixels'
    c.scope = 'fold'  # rows to make from, and to count for class weights: fold | all (leaks)
    # generated: a .npz file with image and label, or one a left-out subject: 'folder/{subject}.npz'
    c.generated = ''
    return c


def _gan():
    """balance.method gan: a conditional DC-GAN a fold, on its training rows, whose images train
    beside them (Koo et al. 2022).
    """
    c = ConfigDict()
    c.each = 100  # images of each class
    c.scope = 'fold'  # fold | all (as published: one generator has seen every subject; leaks)
    c.size = 80  # pixels inside the GAN, a multiple of 8; images are resized to it and back
    c.width = 32  # channels of its outermost convolutions
    c.steps = 2000
    c.batch_size = 32
    c.learning_rate = 2e-4  # the paper's 0.002 is ten times what is usual
    c.smoothing = 0.1  # of the discriminator's 1 for real images; 0.0 = off
    c.dropout = 0.5  # of the discriminator
    return c


def _head():
    """What answers: the network itself, or a fold's own support vector machines on features (which
    stand in features.py).
    """
    c = ConfigDict()
    c.name = 'none'  # none (the network answers) | svm
    # + between: network (its last hidden layer) and any of FEATURES in
    # mer_jax/classical/__init__.py; without network nothing trains (train.epochs 0)
    c.features = 'network'
    # rows that the network of its features trains on: fold | all (the tested ones too; leaks)
    c.scope = 'fold'
    # none | features (standardised on training rows) | blocks (then each kind of features weighs
    # the same)
    c.scale = 'features'
    c.kernel = 'rbf'  # linear | rbf: exp(-gamma * squared distance)
    # C; several, '0.5,1,2': the fold chooses by groups of its training subjects, each left out in
    # turn
    c.cost = '100'
    c.gamma = '0.001'  # of rbf; several as of cost
    c.inner = 5  # such groups
    c.best = 1  # machines by the best choices, whose scores are averaged
    # mirror images train too and are asked too; not with network nor what needs landmarks
    c.mirror = False
    return c


def _alignment():
    """Learner 'contrastive': features of clips with the same action units are drawn together."""
    c = ConfigDict()
    c.share = 0.3  # of the loss (lambda in the paper); 0.0 = off
    # clean | released | paper (see learners.alignment) | equal (plain supervised contrastive)
    c.form = 'clean'
    c.temperature = 0.1
    return c


def _augment():
    """Changes of a training row each time it is seen: probabilities, of a video largest amounts;
    0.0 = off.
    """
    c = ConfigDict()
    c.flip = 0.0  # left to right; a channel u turns its sign
    c.erase = 0.0  # a rectangle becomes noise
    # Region Replacing: one half of the face from another training clip of the same class
    c.replace = 0.0
    c.replace_region = 'mouth'  # mouth | either
    # action units of the mixture: image (those of the halves it shows) | union (as released)
    c.replace_units = 'image'
    # video (every frame alike), key frames and flow (its vectors too): up to so many degrees either
    # way
    c.rotate = 0.0
    c.crop = 0.0  # video: sides of a window up to this share shorter, enlarged
    c.contrast = 0.0  # video, key frames: times 1 - this to 1 + this, as brightness
    c.brightness = 0.0
    c.noise = 0.0  # of flow: standard deviation in pixels
    c.strength = 0.0  # of flow and strain: times 1 - this to 1 + this
    return c


def _explain():
    """python main.py explain."""
    c = ConfigDict()
    c.clips = 24  # pictures of so many held-out clips
    # fixed | released (the authors' code, whose map of the eyes comes from the mouth)
    c.aucam = 'fixed'
    # draw on the face also where the data set is licensed; never CASME II's sub12 and sub22
    c.faces = False
    return c


def _evaluate():
    """The held-out rows."""
    c = ConfigDict()
    # keep held-out outputs of every epoch, for the oracle_epoch block; feeds nothing back
    c.every_epoch = False
    c.batch_size = 256
    return c


def variants(c: ConfigDict, text: str, **known) -> ConfigDict:
    """Apply the comma-separated variants of `config.py:text`, 'name' or 'name=value'.

    known: name -> function(config), or name -> {value: function(config)}. `quick` is known
    everywhere and comes last. Raises UserError for a variant or a value that is not known.
    """
    known = {**known, 'quick': quick}
    parts = [part for part in text.split(',') if part]
    # what quick shrinks, no other variant may grow again
    for part in sorted(parts, key=lambda part: part == 'quick'):
        name, _, value = part.partition('=')
        change = known.get(name)
        if isinstance(change, dict):
            change = change.get(value)
        elif value:
            change = None
        if change is None:
            allowed = [
                f'{n}={"|".join(change)}' if isinstance(change, dict) else n
                for n, change in sorted(known.items())
            ]
            raise UserError(f'{c.name} has no variant {part!r}; known: {", ".join(allowed)}')
        change(c)
    return c


def quick(c: ConfigDict) -> None:
    """Shrink any config to seconds: five synthetic subjects, two epochs, nothing measured."""
    c.data.name = (
        'synthetic_faces/tiny' if c.data.rows == 'clips' else 'synthetic_faces/spotting_tiny'
    )
    c.data.apex = ''
    c.data.frames = min(c.data.frames, 8)
    if (
        c.data.channels == 'gray'
        or c.data.channels.startswith('magnified')
        or c.model.name in ('ocnet', 'hybrid_cnn')
    ):
        c.data.size = min(c.data.size, 32)
    if c.model.name in ('dual_inception', 'offapexnet'):
        c.data.size = min(c.data.size, 12)  # their dense layers grow with it
    if c.model.name == 'alexnet':
        c.data.size = 63  # the least it takes
    c.data.manual_dir = ''
    c.data.landmarks = ''
    c.data.magnet = ''
    # a clip has dozens of frames
    c.train.epochs = min(c.train.epochs, 2 if c.data.rows == 'clips' else 1)
    c.head.inner = 2
    c.train.seeds = 1
    c.train.at_once = 1
    c.train.lowering = 'matmul'
    c.model.alexnet.hidden = 64
    c.model.vggm.width = 3
    c.model.ocnet.width = 2
    c.model.cnn3d.width = 8
    c.model.hybrid_cnn.update({'width': 8, 'blocks': 1})
    # with attention it compiles for a minute
    small = {'width': 8, 'blocks': 1, 'pool': True, 'fine': 2, 'attention': 'off'}
    c.model.dual_branch.update({**small, 'hidden': 32})
    c.model.single_branch.update(small)
    c.gan.update({'each': 4, 'size': 16, 'width': 4, 'steps': 4})
    c.explain.clips = min(c.explain.clips, 4)
