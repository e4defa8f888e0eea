"""The settings of an experiment, one class a section; configs and the command line change them.

A text of '' and a number of 0 switch a setting off, where its reason says so. Where the allowed
values are the names of methods, the entries of those methods hold them.
"""

from dataclasses import dataclass
from dataclasses import field as dataclass_field

from mer_jax.settings.fields import Value, field

SCOPES = ('fold', 'all')


@dataclass(frozen=True)
class Data:
    """What the network sees."""

    name: str = field(
        'synthetic_faces',
        "A TFDS data set: 'set/variant' or 'release/flow,edition=2014'; 'a+b' joins several.",
    )
    data_dir: str = field(
        '', "Where built data sets lie; '': TFDS_DATA_DIR, else ~/tensorflow_datasets.", free=True
    )
    manual_dir: str = field(
        '',
        "The folder that holds a release, or published features, as the authors ship it; 'A+B': "
        'one for each data set.',
        free=True,
    )
    rebuild: bool = field(False, 'Build again although a finished build is there.', free=True)
    landmarks: str = field(
        '',
        "Of releases: a landmark model (.task, .dat) or a folder of OpenFace tables; '': a "
        'template fitted to the eyes.',
        free=True,
    )
    magnet: str = field(
        '',
        "Weights of the learned magnifier, for 'release/samer,magnifier=magnet'.",
        free=True,
    )
    task: str = field(
        'recognition',
        'recognition: a row is a clip, and its class is learned. spotting: a row is a frame, and '
        'how near it is to the apex is learned.',
        entries='TASKS',
    )
    apex: str = field(
        '',
        "The apex of clips that have none annotated: '' (as the data set estimated it), midpoint, "
        'peak (largest motion), or the folder of a finished spotting run by loso. All but the '
        "first read the flow of every frame: 'smic/spotting', channels u,v.",
    )
    labels: str = field('megc3', 'Which emotions make which class.', entries='SCHEMES')
    channels: str = field(
        'u,v,strain',
        'What the network sees, in this order. Of flow: u,v,strain, and of a release also gray '
        'key frames and both halves of the motion: onset,apex,offset,u,v,strain,u2,v2,strain2. '
        "Of 'release/samer': magnified,on_a,off_a. Of video: gray.",
    )
    size: int = field(28, "Height and width of the network's input in pixels.", low=1, high=1024)
    mask: str = field(
        'none',
        'background: only eyes and mouth stay. eyes_mouth: they are blacked out.',
        choices=('none', 'background', 'eyes_mouth'),
    )
    frames: int = field(16, 'Frames of each video, evenly from onset to offset.', low=1, high=1000)
    subtract_onset: bool = field(
        False, 'Of video: each frame minus the onset frame, so that only what moves remains.'
    )
    clip_normalise: bool = field(
        True,
        'Stretch each channel of each clip to its own minimum and maximum, in bytes, as the '
        'published flow features are. False: flow stays in pixels.',
    )
    input_scaler: str = field(
        'none',
        'Fitted to the training rows of a fold. p995: divide by the 99.5th percentile. standard: '
        'minus the mean, divided by the standard deviation.',
        choices=('none', 'p995', 'standard'),
    )
    scaler_scope: str = field(
        'fold', 'The rows that input_scaler is fitted to; all is a leak.', choices=SCOPES
    )
    value_range: str = field(
        '0..1',
        'What the smallest and the largest value become; imagenet: three channels, as weights of '
        'torchvision expect. input_scaler=standard has no use for it.',
        choices=('0..255', '0..1', '-1..1', 'imagenet'),
    )
    lateral_units: bool = field(
        False,
        "Action units of the left and the right half apart: 'L12' and 'R12' (both, where the "
        'release does not say which).',
    )
    random_subject_labels: bool = field(
        False,
        'A control: one random class for each subject, which no honest protocol can predict.',
    )
    jpeg_roundtrip: bool = field(
        False,
        'Of magnified,on_a,off_a: pass once through JPEG, as the published pictures did.',
    )


@dataclass(frozen=True)
class Spotting:
    """Apex spotting: a continuous label of each frame is learned (data.task=spotting)."""

    label: str = field(
        'linear',
        'How the label rises from 0 at the onset to 1 at the apex, and falls to the offset.',
        choices=('linear', 'exponential', 'log', 'impulse'),
    )
    steepness: float = field(3.0, 'k of the labels exponential and log.', low=1e-3, high=50)
    sigma: float = field(
        0.0, 'Standard deviation in frames of a softened impulse; 0: one frame.', low=0, high=1000
    )
    output: str = field('sigmoid', 'What the network ends in.', choices=('sigmoid', 'linear'))
    window: int = field(
        9,
        'Frames of the window of sw_max; template counts so many frames as one observation.',
        low=1,
        high=1000,
    )
    decoder: str = field(
        'sw_max',
        'How an apex is read off the outputs, for the error of the run; all are reported.',
        choices=('max', 'sw_max', 'template'),
    )


@dataclass(frozen=True)
class Protocol:
    """Who is left out."""

    name: str = field('loso', 'How rows are split into folds.', entries='PROTOCOLS')
    folds: int = field(5, 'Of kfold: groups of subjects; of clip_kfold: of clips.', low=2)
    holdout: float = field(
        0.2,
        'Of holdout: the share of subjects that is tested; of random_split: of clips.',
        low=0.01,
        high=0.99,
    )
    seed: int = field(0, 'Which random split.', low=0, high=2**31 - 1)
    validation: float = field(
        0.0,
        'The share of all subjects (of clips, where clips are split) that neither train nor are '
        'tested; settings are chosen by them. 0: none.',
        low=0,
        high=0.9,
    )
    evaluate_on: str = field(
        'test',
        'The part that is predicted and scored; the verb grid chooses by validation.',
        choices=('test', 'validation'),
    )


@dataclass(frozen=True)
class Model:
    """Which network; the options of each network stand in its entry."""

    name: str = field('ststnet', 'The network.', entries='NETWORKS')
    init_from: str = field(
        '',
        'PyTorch weights to start from: file.safetensors, file.pth, or one for each fold: '
        "'folder/{subject}.pth'.",
    )
    # network -> {option: value}, so that changing model.name alone works
    options: dict[str, dict[str, Value]] = dataclass_field(default_factory=dict)


@dataclass(frozen=True)
class Train:
    """The training of every fold."""

    epochs: int = field(
        100, 'The last state is the result: no epoch is chosen.', low=0, high=10**7, free=True
    )
    seeds: int = field(
        1, 'Trainings of every fold; results are their mean and spread.', low=1, high=1000
    )
    batch_size: int = field(
        64, 'Most rows in a step; an epoch is cut into equal steps.', low=1, high=10**6
    )
    optimizer: str = field('adam', 'The optimizer.', choices=('adam', 'adamw', 'sgd'))
    learning_rate: float = field(1e-3, 'At the start of the schedule.', low=1e-12, high=1e3)
    weight_decay: float = field(0.0, 'Of adamw only.', low=0, high=1e3)
    momentum: float = field(0.9, 'Of sgd only.', low=0, high=1)
    schedule: str = field(
        'constant',
        'cosine: to 0 at the last epoch; such a run cannot take more epochs later. restarts: '
        'cosine over 10, 20, 40, ... epochs; stop where a cycle ends: 10, 30, 70 or 150.',
        choices=('constant', 'cosine', 'restarts'),
    )
    learner: str = field(
        'supervised',
        'Of recognition. supervised: one head. contrastive: heads of face regions, and the action '
        'unit alignment.',
        entries='LEARNERS',
    )
    class_weights: str = field(
        'none',
        'Of the loss, for a class of n_c of the n rows: max (n_max / n_c), total (n / n_c), '
        'balanced (n / (K n_c)).',
        choices=('none', 'max', 'total', 'balanced'),
    )
    label_smoothing: float = field(0.0, 'Of the cross-entropy; 0: off.', low=0, high=0.99)
    sampler: str = field(
        'shuffle',
        'shuffle: every row once an epoch. weighted: rows are drawn so that every class is as '
        'likely.',
        choices=('shuffle', 'weighted'),
    )
    at_once: int = field(
        0,
        'Folds that a device trains side by side; 0: measured at the start.',
        low=0,
        high=10**5,
    )
    lowering: str = field(
        'auto',
        'How convolutions are computed: as matrix products (matmul) or by the library (native); '
        'auto: measured.',
        choices=('auto', 'matmul', 'native'),
    )
    devices: int = field(
        0,
        'Devices to use; 0: all, unless one alone measures faster.',
        low=0,
        high=10**4,
        free=True,
    )
    runs_in_memory: int = field(
        0, 'Runs (folds x seeds) in memory at a time; 0: as many as fit.', low=0, high=10**6
    )
    fold_by_fold: bool = field(
        False,
        'Networks train in plain Python, so that a breakpoint in one sees numbers. Slow, and equal '
        'to the compiled programs to about 1e-5 only.',
    )
    checkpoint_seconds: float = field(
        60.0,
        'Between checkpoints (20 times what one takes, if that is longer); 0: after every '
        'compiled call.',
        low=0,
        free=True,
    )


@dataclass(frozen=True)
class Balance:
    """Rows added until each class of a fold has as many as its most frequent one."""

    method: str = field('none', 'How rows are added.', entries='RESAMPLERS')
    neighbours: int = field(
        5,
        'Of smote: a row is mixed with one of so many; with fewer where its class has fewer.',
        low=1,
        high=10**4,
    )
    space: str = field(
        'pixels',
        "Of smote: where neighbours are near; features: principal components of the fold's rows.",
        choices=('pixels', 'features'),
    )
    scope: str = field(
        'fold',
        'The rows that are added from, and counted for class weights; all is a leak.',
        choices=SCOPES,
    )
    file: str = field(
        '',
        'Of generated: a .npz file with image and label, or one for each left-out subject: '
        "'folder/{subject}.npz'.",
    )


@dataclass(frozen=True)
class Gan:
    """A conditional DC-GAN of each fold, trained on its training rows (balance.method=gan)."""

    images_per_class: int = field(100, 'Images made of each class.', low=1, high=10**5)
    scope: str = field(
        'fold', 'all: one generator has seen every subject, as published; a leak.', choices=SCOPES
    )
    size: int = field(
        80,
        'Pixels inside the GAN, a multiple of 8; images are resized to it and back.',
        low=8,
        high=1024,
    )
    width: int = field(32, 'Channels of its outermost convolutions.', low=1, high=1024)
    steps: int = field(2000, 'Training steps.', low=1, high=10**7)
    batch_size: int = field(32, 'Rows of a step.', low=2, high=10**5)
    learning_rate: float = field(
        2e-4, 'The paper has 0.002, ten times what is usual.', low=1e-12, high=1e3
    )
    smoothing: float = field(
        0.1, "Taken off the discriminator's 1 for real images; 0: off.", low=0, high=0.99
    )
    dropout: float = field(0.5, 'Of the discriminator.', low=0, high=0.99)


@dataclass(frozen=True)
class Alignment:
    """Of the learner contrastive: clips with the same action units are drawn together."""

    weight: float = field(0.3, 'Share of the loss (lambda in the paper); 0: off.', low=0, high=1)
    variant: str = field(
        'clean',
        'clean: no pair of a clip with itself. released: as in the released code. paper: as '
        'printed. equal: plain supervised contrastive.',
        choices=('clean', 'released', 'paper', 'equal'),
    )
    temperature: float = field(0.1, 'Of the softmax over pairs.', low=1e-3, high=1e3)


@dataclass(frozen=True)
class Augment:
    """Changes of a training row each time it is seen; 0: off."""

    flip: float = field(
        0.0, 'Probability of a mirror image; a channel u turns its sign.', low=0, high=1
    )
    erase: float = field(0.0, 'Probability that a rectangle becomes noise.', low=0, high=1)
    replace: float = field(
        0.0,
        'Probability of Region Replacing: one half of the face comes from another training clip '
        'of the same class.',
        low=0,
        high=1,
    )
    replace_region: str = field('mouth', 'The half that is replaced.', choices=('mouth', 'either'))
    replace_units: str = field(
        'image',
        'Action units of the mixture. image: of the halves that it shows. union: of both clips, '
        'as released.',
        choices=('image', 'union'),
    )
    rotate: float = field(
        0.0,
        'Of video (every frame alike), key frames and flow (its vectors too): up to so many '
        'degrees either way.',
        low=0,
        high=180,
    )
    crop: float = field(
        0.0, 'Of video: a window with sides up to this share shorter, enlarged.', low=0, high=0.9
    )
    contrast: float = field(
        0.0, 'Of video and key frames: times 1 - this to 1 + this.', low=0, high=1
    )
    brightness: float = field(
        0.0, 'Of video and key frames: times 1 - this to 1 + this.', low=0, high=1
    )
    noise: float = field(0.0, 'Of flow: standard deviation in pixels.', low=0, high=100)
    flow_scale: float = field(0.0, 'Of flow and strain: times 1 - this to 1 + this.', low=0, high=1)


@dataclass(frozen=True)
class Evaluate:
    """The held-out rows."""

    every_epoch: bool = field(
        False,
        'Keep held-out outputs of every epoch, for the block oracle_epoch; feeds nothing back.',
    )
    batch_size: int = field(256, 'Most rows predicted at a time.', low=1, high=10**6)


@dataclass(frozen=True)
class Explain:
    """The verb explain."""

    clips: int = field(24, 'Held-out clips to draw.', low=1, high=10**5, free=True)
    au_cam: str = field(
        'fixed',
        "released: the authors' code, whose map of the eyes comes from the mouth.",
        choices=('fixed', 'released'),
        free=True,
    )
    faces: bool = field(
        False,
        "Draw on the face also where the data set is licensed; never CASME II's sub12 and sub22.",
        free=True,
    )


@dataclass(frozen=True)
class Head:
    """What predicts: the network, or an SVM for each fold on features of the clips."""

    name: str = field('none', 'none: the network predicts.', choices=('none', 'svm'))
    features: str = field(
        'network',
        'Joined by +: network (its last hidden layer), or features of clips. Without network '
        'nothing trains (train.epochs=0).',
        entries='FEATURES',
    )
    scope: str = field(
        'fold',
        'The rows that the network of the features trains on; all (the tested ones too) is a leak.',
        choices=SCOPES,
    )
    scale: str = field(
        'features',
        'features: standardised on training rows. blocks: then each kind of features weighs the '
        'same.',
        choices=('none', 'features', 'blocks'),
    )
    kernel: str = field('rbf', 'rbf: exp(-gamma * squared distance).', choices=('linear', 'rbf'))
    cost: tuple = field(
        (100.0,),
        'C. Of several the fold chooses, by groups of its training subjects, each left out in '
        'turn.',
        low=1e-12,
        high=1e12,
    )
    gamma: tuple = field((0.001,), 'Of rbf; several as of cost.', low=1e-12, high=1e12)
    inner_folds: int = field(5, 'Groups of training subjects to choose by.', low=2, high=1000)
    top_k: int = field(1, 'SVMs of the best choices, whose scores are averaged.', low=1, high=1000)
    mirror: bool = field(
        False,
        'Mirror images train too and are predicted too; not with network, nor with what needs '
        'landmarks.',
    )


@dataclass(frozen=True)
class Settings:
    """All settings of an experiment."""

    name: str
    data: Data = Data()
    spotting: Spotting = Spotting()
    protocol: Protocol = Protocol()
    model: Model = Model()
    train: Train = Train()
    balance: Balance = Balance()
    gan: Gan = Gan()
    alignment: Alignment = Alignment()
    augment: Augment = Augment()
    evaluate: Evaluate = Evaluate()
    explain: Explain = Explain()
    head: Head = Head()
