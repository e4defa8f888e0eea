"""All settings of an experiment, one class per section.

Configs and the command line change them. An empty text or a 0 switches a setting off where its
reason says so. `entries` names the dictionary whose keys are the allowed values.
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
        '',
        "The folder of built data sets; '': TFDS_DATA_DIR, else ~/tensorflow_datasets.",
        free=True,
        local=True,
    )
    manual_dir: str = field(
        '',
        "The folder with a release, or with published features, as the authors ship it; 'A+B': "
        'one for each data set. Of frames_csv: its table, FILE.csv.',
        free=True,
        local=True,
    )
    rebuild: bool = field(False, 'Build data sets again that are already built.', free=True)
    strict: bool = field(
        False,
        'Refuse a build that drops more than a tenth of the annotated clips; else it ends in a '
        'warning.',
        free=True,
    )
    landmarks: str = field(
        '',
        "For releases: a landmark model (.task, .dat) or a folder of OpenFace tables; '': a "
        'template fitted to the eyes.',
        free=True,
        local=True,
    )
    detector: str = field(
        '',
        "For releases: weights of the face detector MTCNN (.safetensors), in place of Haar: '': "
        'Haar.',
        free=True,
        local=True,
    )
    magnet: str = field(
        '',
        "Weights of the learned magnifier, for 'release/samer,magnifier=magnet'.",
        free=True,
        local=True,
    )
    task: str = field(
        'recognition',
        'recognition: predict the class of a clip. action_units: detect the action units of a '
        'clip. spotting: predict how near a frame is to the apex.',
        entries='TASKS',
    )
    apex: str = field(
        '',
        "The apex of clips without an annotated one: '' (the estimate of the data set), midpoint, "
        'peak (largest motion), a spotting config such as smic_spotting, which is trained first by '
        'loso, or the folder of such a run that is finished. every_frame: each frame of each clip '
        'is a row, scored by itself. All but the first need the flow of every frame: '
        "'smic/spotting', channels u,v.",
        local=True,
    )
    labels: str = field(
        'megc3',
        'Which emotions, or action units, form which class. annotated: each emotion is a class; '
        'classes:A,B: these emotions are, in this order. For clips of your own (frames_csv) megc3 '
        'means annotated.',
        entries='SCHEMES',
        further=('annotated', 'classes:A,B'),
    )
    without_class: str = field(
        'dropped',
        'Clips whose emotion the scheme has no class for, or does not know. first_class: they '
        'count as the first class, in training and in the score; listed with the leaks.',
        choices=('dropped', 'first_class'),
    )
    channels: str = field(
        'u,v,strain',
        'The inputs of the network, in this order. Flow: u,v,strain; for a release also gray key '
        'frames and the flow of both phases: onset,apex,offset,u,v,strain,u2,v2,strain2. '
        "'release/flow,key_frames=rgb': also key frames in colour: apex_r,apex_g,apex_b, and so on "
        "for onset and offset. 'release/samer': magnified,on_a,off_a. Video: gray.",
    )
    size: int = field(28, "Height and width of the network's input in pixels.", low=1, high=1024)
    mask: str = field(
        'none',
        'background: keep only eyes and mouth. eyes_mouth: black out eyes and mouth.',
        choices=('none', 'background', 'eyes_mouth'),
    )
    frames: int = field(
        16, 'Frames of each video, evenly spaced from onset to offset.', low=1, high=1000
    )
    subtract_onset: bool = field(
        False, 'For video: subtract the onset frame from each frame, so that only motion remains.'
    )
    clip_normalise: bool = field(
        True,
        'Stretch each channel of each clip from its minimum and maximum to 0..255, like the '
        'published flow features. False: flow stays in pixels.',
    )
    input_scaler: str = field(
        'none',
        'A scale fitted to the training rows of a fold. p995: divide by the 99.5th percentile. '
        'standard: subtract the mean, divide by the standard deviation. mean_max: subtract the '
        'mean, divide by the largest value that is then left.',
        choices=('none', 'p995', 'standard', 'mean_max'),
    )
    scaler_scope: str = field(
        'fold', 'The rows that input_scaler is fitted to; all is a leak.', choices=SCOPES
    )
    value_range: str = field(
        '0..1',
        'The range of the inputs after scaling; imagenet: three channels, normalised as the '
        'weights of torchvision expect. Not used with input_scaler=standard or mean_max.',
        choices=('0..255', '0..1', '-1..1', 'imagenet'),
    )
    units: str = field(
        '1+2+4+5+6+7+9+10+12+14+15+17',
        'The units to detect, for data.task=action_units and head.features=detected_units; the '
        'default: the 12 of CD6ME (Varanka et al. 2024).',
    )
    action_units: str = field(
        '',
        'Action units of clips whose data set has none, FILE.csv: columns clip, action_units (as '
        'coding sheets write them: 6+12, L14A) and, where two data sets share names of clips, '
        'dataset. Clips that it does not name stay unknown.',
        free=True,
        local=True,
    )
    lateral_units: bool = field(
        False,
        "Separate action units for the left and the right half: 'L12' and 'R12' (both, where the "
        'release does not give the side).',
    )
    random_subject_labels: bool = field(
        False,
        'A control: each subject has one random class, which no honest protocol can predict.',
    )


@dataclass(frozen=True)
class Spotting:
    """Apex spotting, with a label per frame (data.task=spotting)."""

    label: str = field(
        'linear',
        'How the label rises from 0 at the onset to 1 at the apex, and falls to the offset.',
        choices=('linear', 'exponential', 'log', 'impulse'),
    )
    steepness: float = field(3.0, 'k of the labels exponential and log.', low=1e-3, high=50)
    sigma: float = field(
        0.0, 'Standard deviation in frames of a softened impulse; 0: one frame.', low=0, high=1000
    )
    output: str = field('sigmoid', 'The last activation.', choices=('sigmoid', 'linear'))
    window: int = field(
        9,
        'Frames of the window of sw_max; the decoder template counts that many frames as one '
        'observation.',
        low=1,
        high=1000,
    )
    decoder: str = field(
        'sw_max',
        'How the apex follows from the outputs, for the error of the run; all are reported.',
        choices=('max', 'sw_max', 'template'),
    )


@dataclass(frozen=True)
class Protocol:
    """How rows are split into training and test rows."""

    name: str = field('loso', 'How rows are split into folds.', entries='PROTOCOLS')
    folds: int = field(
        5,
        'For kfold: groups of subjects; for clip_kfold: of clips; for frame_kfold: of rows.',
        low=2,
    )
    holdout: float = field(
        0.2,
        'For holdout: the share of subjects that is tested; for random_split: of clips.',
        low=0.01,
        high=0.99,
    )
    repeat: int = field(
        1,
        'For kfold, clip_kfold and frame_kfold: how often groups are drawn and all folds trained; '
        'results.json then shows the spread due to training sets. Above 1, kfold takes subjects in '
        'random order.',
        low=1,
        high=1000,
    )
    seed: int = field(
        0, 'Seed of a random split; draw d of protocol.repeat has seed + d.', low=0, high=2**31 - 1
    )
    validation: float = field(
        0.0,
        'The share of subjects (of clips, where clips are split) that neither train nor are '
        'tested, but serve to choose settings. 0: none.',
        low=0,
        high=0.9,
    )
    train_subjects: int = field(
        0,
        'Subjects who train each fold, drawn by protocol.seed, as if there were no more: the first '
        'of one order that the fold does not test, so that fewer are among more. 0: all.',
        low=0,
        high=10**6,
    )
    same_people: str = field(
        'none',
        'Whether people may stand in several of the pooled data sets. none: only data sets that '
        'are known to share nobody. unknown: any; listed with the leaks.',
        choices=('none', 'unknown'),
    )
    evaluate_on: str = field(
        'test',
        'The rows that are predicted and scored; the verb grid uses validation to choose.',
        choices=('test', 'validation'),
    )


@dataclass(frozen=True)
class Model:
    """The network; its options are in the section model.NAME."""

    name: str = field('ststnet', 'The network.', entries='NETWORKS')
    init_from: str = field(
        '',
        'PyTorch weights to start from: file.safetensors, file.pth, or one for each left-out '
        "subject: 'folder/{subject}.pth'. {number} counts the subjects from 1, sorted as text; "
        '{subject_number} is the number in the name, 6 of 006.',
        local=True,
    )
    pretrain: str = field(
        '',
        'Drawn faces that train the network before the folds, as in data.name: '
        "'synthetic_faces/many,clips=2000'. They show nobody who is tested; data sets of people "
        'are refused.',
    )
    # network -> {option: value}, so that changing model.name alone works
    options: dict[str, dict[str, Value]] = dataclass_field(default_factory=dict)


@dataclass(frozen=True)
class Pretrain:
    """The training on drawn faces, once before all folds (model.pretrain).

    Batches, optimizer, schedule and augmentation are those of the folds.
    """

    epochs: int = field(20, 'Epochs on the drawn faces.', low=1, high=10**7)
    learning_rate: float = field(
        1e-3, 'Learning rate at the start of the schedule.', low=1e-12, high=1e3
    )
    units: float = field(
        0.5,
        'Share of the action units in the loss; the rest is that of the emotions. 0: emotions '
        'alone; 1: action units alone.',
        low=0,
        high=1,
    )
    networks: int = field(
        1,
        'Networks that learn from the drawn faces for each seed, with different random numbers. A '
        'stack takes the mean of their log probabilities; more than 1 wants head.name=stack.',
        low=1,
        high=100,
    )


@dataclass(frozen=True)
class Train:
    """The training of every fold."""

    epochs: int = field(
        100,
        'Epochs of training. The last one is the result; none is chosen.',
        low=0,
        high=10**7,
        free=True,
    )
    seeds: int = field(
        1,
        'Trainings of each fold, with different random numbers; results are their mean and '
        'standard deviation.',
        low=1,
        high=1000,
    )
    batch_size: int = field(
        64, 'Largest number of rows per step; the steps of an epoch are equal.', low=1, high=10**6
    )
    optimizer: str = field(
        'adam',
        'adamw: weights decay beside the step. adam_l2: the decay is added to the gradient, as '
        'weight_decay of Adam in PyTorch.',
        choices=('adam', 'adamw', 'adam_l2', 'sgd'),
    )
    learning_rate: float = field(
        1e-3, 'Learning rate at the start of the schedule.', low=1e-12, high=1e3
    )
    weight_decay: float = field(0.0, 'For adamw and adam_l2 only.', low=0, high=1e3)
    momentum: float = field(0.9, 'For sgd only.', low=0, high=1)
    schedule: str = field(
        'constant',
        'cosine: falls to 0 at the last epoch; epochs cannot be added later. restarts: cosine over '
        '10, 20, 40, ... epochs; stop at the end of a cycle: 10, 30, 70 or 150.',
        choices=('constant', 'cosine', 'restarts'),
    )
    learner: str = field(
        'supervised',
        'For recognition. supervised: one head. contrastive: heads of face regions, and the loss '
        'of section alignment.',
        entries='LEARNERS',
    )
    class_weights: str = field(
        'none',
        'Weights of the loss, for a class with n_c of the n rows: max (n_max / n_c), total '
        '(n / n_c), balanced (n / (K n_c)). Of an action unit, any of them weights the rows that '
        'show it by n_absent / n_present.',
        choices=('none', 'max', 'total', 'balanced'),
    )
    label_smoothing: float = field(
        0.0, 'Label smoothing of the cross-entropy; 0: off.', low=0, high=0.99
    )
    sampler: str = field(
        'shuffle',
        'shuffle: each row once per epoch. weighted: rows are drawn at random, each class with '
        'equal probability. in_order: each row once, class by class in the order of the data set, '
        'as code that reads a folder for each class and does not shuffle.',
        choices=('shuffle', 'weighted', 'in_order'),
    )
    at_once: int = field(
        0,
        'Folds that one device trains side by side; 0: measured at the start.',
        low=0,
        high=10**5,
    )
    lowering: str = field(
        'auto',
        'How convolutions are computed: as matrix products (matmul), by the library (native), or '
        'for a GPU, by the library with the gradient of a kernel as one product (shifted; STSTNet '
        'sums shifted images); auto: measured.',
        choices=('auto', 'matmul', 'native', 'shifted'),
    )
    devices: int = field(
        0,
        'Number of devices; 0: all, unless a single one is faster.',
        low=0,
        high=10**4,
        free=True,
    )
    runs_in_memory: int = field(
        0, 'Runs (folds x seeds) in memory at a time; 0: as many as fit.', low=0, high=10**6
    )
    fold_by_fold: bool = field(
        False,
        'Train in plain Python, so that a breakpoint in a network shows numbers. Slow, and equal '
        'to the compiled programs only to about 1e-5.',
    )
    checkpoint_seconds: float = field(
        60.0,
        'Seconds between checkpoints (at least 20 times the time to write one); 0: after every '
        'compiled call.',
        low=0,
        free=True,
    )


@dataclass(frozen=True)
class Choose:
    """The choice of learning rate and epochs by training subjects (choose.groups above 0)."""

    groups: int = field(
        0,
        'Groups of the training subjects of a fold. Each is left out once and predicted, at each '
        'learning rate, after each number of epochs; the best by UF1 trains the fold. Wants '
        'evaluate.every_epoch, and the largest of choose.epochs as train.epochs; '
        'train.learning_rate is not used. 0: nothing is chosen.',
        low=0,
        high=100,
    )
    learning_rate: tuple = field(
        (1e-4, 3e-4, 1e-3, 3e-3), 'Learning rates to choose from.', low=1e-12, high=1e3
    )
    epochs: tuple = field(
        (20, 60, 200),
        'Numbers of epochs to choose from, read off one training; smallest first.',
        low=1,
        high=10**7,
    )


@dataclass(frozen=True)
class Balance:
    """Rows added until all classes are equally large."""

    method: str = field('none', 'How rows are added.', entries='RESAMPLERS')
    neighbours: int = field(
        5,
        'For smote: a row is mixed with one of this many nearest rows of its class (fewer where '
        'the class is smaller).',
        low=1,
        high=10**4,
    )
    space: str = field(
        'pixels',
        'For smote: the space in which neighbours are near; features: principal components of the '
        'training rows of the fold.',
        choices=('pixels', 'features'),
    )
    scope: str = field(
        'fold',
        'The rows that new rows are made from and class weights are counted on; all is a leak.',
        choices=SCOPES,
    )
    file: str = field(
        '',
        'For generated: a .npz file with image and label, or one for each left-out subject: '
        "'folder/{subject}.npz'.",
        local=True,
    )


@dataclass(frozen=True)
class Gan:
    """A conditional DC-GAN of each fold (balance.method=gan)."""

    images_per_class: int = field(100, 'Generated images of each class.', low=1, high=10**5)
    scope: str = field(
        'fold',
        'The rows that the GAN trains on. all: one GAN for all folds, as published; a leak.',
        choices=SCOPES,
    )
    size: int = field(
        80,
        'Pixels inside the GAN, a multiple of 8; images are resized to it and back.',
        low=8,
        high=1024,
    )
    resize: str = field(
        'bilinear',
        'How images come to gan.size and back; the paper does not say. crop: a border that repeats '
        'the outermost pixels is added and cut off.',
        choices=('bilinear', 'crop'),
    )
    width: int = field(32, 'Channels of the outermost convolutions.', low=1, high=1024)
    batch_norm: bool = field(
        False, 'Batch norm in both networks; the paper names none. Statistics are of the fold.'
    )
    discriminator_output: str = field(
        'logit',
        'How the discriminator ends. logit: one output. softmax: two outputs, real and generated, '
        'as in the paper.',
        choices=('logit', 'softmax'),
    )
    steps: int = field(2000, 'Training steps.', low=1, high=10**7)
    batch_size: int = field(32, 'Rows per step.', low=2, high=10**5)
    learning_rate: float = field(
        2e-4, 'Learning rate; the paper has 0.002, ten times the usual.', low=1e-12, high=1e3
    )
    smoothing: float = field(
        0.1,
        'Label smoothing: real images have the target 1 minus this; 0: off.',
        low=0,
        high=0.99,
    )
    dropout: float = field(0.5, 'Dropout of the discriminator.', low=0, high=0.99)


@dataclass(frozen=True)
class Alignment:
    """A contrastive loss by action units (train.learner=contrastive)."""

    weight: float = field(0.3, 'Share of the loss (lambda in the paper); 0: off.', low=0, high=1)
    variant: str = field(
        'clean',
        'clean: without pairs of a clip with itself, whole or half. released: as in the released '
        'code. paper: as printed in the paper. equal: the usual supervised contrastive loss.',
        choices=('clean', 'released', 'paper', 'equal'),
    )
    temperature: float = field(0.1, 'Temperature of the softmax over pairs.', low=1e-3, high=1e3)


@dataclass(frozen=True)
class Augment:
    """Random changes of training rows; 0: off."""

    flip: float = field(
        0.0, 'Probability of a mirror image; channel u changes its sign.', low=0, high=1
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
        'Action units of the mixed image. image: those of the halves that it shows. union: those '
        'of both clips, as in the released code.',
        choices=('image', 'union'),
    )
    rotate: float = field(
        0.0,
        'For video (equal in all frames), key frames and flow (vectors too): rotation by up to '
        'this many degrees in either direction.',
        low=0,
        high=180,
    )
    crop: float = field(
        0.0,
        'For video: crop a window whose area is smaller by up to this share, and enlarge it.',
        low=0,
        high=0.9,
    )
    contrast: float = field(
        0.0, 'For video and key frames: a factor from 1 - this to 1 + this.', low=0, high=1
    )
    brightness: float = field(
        0.0, 'For video and key frames: a factor from 1 - this to 1 + this.', low=0, high=1
    )
    noise: float = field(0.0, 'For flow: standard deviation of noise in pixels.', low=0, high=100)
    flow_scale: float = field(
        0.0, 'For flow and strain: a factor from 1 - this to 1 + this.', low=0, high=1
    )


@dataclass(frozen=True)
class Evaluate:
    """The prediction of held-out rows."""

    every_epoch: bool = field(
        False,
        'Keep held-out outputs of every epoch, for oracle_epoch in results.json. Training does '
        'not use them.',
    )
    batch_size: int = field(256, 'Largest number of rows at a time.', low=1, high=10**6)


@dataclass(frozen=True)
class Explain:
    """The pictures of the verb explain."""

    clips: int = field(24, 'Number of held-out clips to draw.', low=1, high=10**5, free=True)
    scope: str = field(
        'fold',
        'The map of the AU features. fold: of held-out clips, each by the network of its fold. '
        'all_rows: also that of one network, trained on all clips; it is no held-out map.',
        choices=('fold', 'all_rows'),
        free=True,
    )
    au_cam: str = field(
        'fixed',
        'released: as in the released code, where the map of the eyes comes from the mouth.',
        choices=('fixed', 'released'),
        free=True,
    )
    faces: bool = field(
        False,
        'Show faces of licensed data sets too; never sub12 and sub22 of CASME II.',
        free=True,
    )


@dataclass(frozen=True)
class Head:
    """What predicts: the network, or a classifier per fold."""

    name: str = field(
        'none',
        'none: the network predicts. svm: an SVM, balanced. logistic: a logistic regression, '
        'balanced, for few features such as detected_units. ridge: a kernel ridge regression on '
        'each kind of features by itself, balanced, whose scores are averaged. stack: several '
        'of these together (head.members), also with a network that drawn faces alone trained '
        '(model.pretrain).',
        entries='HEADS',
    )
    members: str = field(
        'svm+network',
        'Members of a stack, joined by +: svm, ridge, and the network that model.pretrain names.',
    )
    combine: str = field(
        'fitted',
        'How a stack combines its members. fitted: by a weight each, and an offset for each class, '
        'that each fold fits. equal: each weighs the same over the spread of its scores, without '
        'an offset.',
        choices=('fitted', 'equal'),
    )
    features: str = field(
        'network',
        'Features of the classifier, joined by +: network (its last hidden layer), features of '
        'clips, or detected_units (section detectors). Without network nothing is trained '
        '(train.epochs=0).',
        entries='FEATURES',
    )
    scope: str = field(
        'fold',
        'The rows that the network of the features trains on; all (test rows too) is a leak.',
        choices=SCOPES,
    )
    scale: str = field(
        'features',
        'features: standardised on training rows. blocks: also weighted so that each kind of '
        'features counts equally.',
        choices=('none', 'features', 'blocks'),
    )
    kernel: str = field('rbf', 'rbf: exp(-gamma * squared distance).', choices=('linear', 'rbf'))
    cost: tuple = field(
        (100.0,),
        'C. Of several values each fold chooses one by cross-validation over its training '
        'subjects.',
        low=1e-12,
        high=1e12,
    )
    gamma: tuple = field((0.001,), 'For rbf; several values as for cost.', low=1e-12, high=1e12)
    inner_folds: int = field(
        5, 'Groups of training subjects in that cross-validation.', low=2, high=1000
    )
    top_k: int = field(
        1,
        'The scores of the SVMs or regressions of this many best choices are averaged; in a stack, '
        'those of each member.',
        low=1,
        high=1000,
    )
    ridge_cost: tuple = field(
        (0.3, 1.0, 3.0),
        'For kernel ridge regressions: the inverse of the penalty, of which each fold chooses as '
        'of cost.',
        low=1e-12,
        high=1e12,
    )
    ridge_gamma: tuple = field(
        (0.25, 0.5, 1.0),
        'For kernel ridge regressions, as gamma; the default fits head.scale=blocks.',
        low=1e-12,
        high=1e12,
    )
    drawn: str = field(
        '',
        'Drawn faces that train the SVMs of every fold beside its clips, on their emotions or '
        "action units; as in data.name: 'synthetic_faces/many,clips=500'. The scale of features is "
        'fitted to the clips alone.',
    )
    drawn_weight: tuple = field(
        (0.0, 0.1, 1.0),
        'What a drawn clip counts beside a clip of the fold. Of several values each fold chooses '
        'one as it chooses cost; 0: drawn clips have no part.',
        low=0,
        high=1e6,
    )
    mirror: bool = field(
        False,
        'Train on and predict mirror images too; not with network, or with features that need '
        'landmarks.',
    )


@dataclass(frozen=True)
class Detectors:
    """SVMs that detect action units, whose outputs are features (head.features=detected_units)."""

    features: str = field(
        'motion+gradient+orientation+deformation',
        'Features of clips that the detectors learn, joined by +. A fold fits them to its training '
        'clips with known units (data.units); training clips are predicted by detectors of other '
        'subjects.',
    )
    scale: str = field('blocks', 'As head.scale.', choices=('none', 'features', 'blocks'))
    kernel: str = field('rbf', 'As head.kernel.', choices=('linear', 'rbf'))
    cost: tuple = field(
        (0.5, 2.0, 8.0),
        'C. Of several values each fold chooses one for all units, by the mean F1 over units of a '
        'cross-validation over its training subjects.',
        low=1e-12,
        high=1e12,
    )
    gamma: tuple = field(
        (0.25, 0.5, 1.0), 'For rbf; several values as for cost.', low=1e-12, high=1e12
    )
    inner_folds: int = field(
        5,
        'Groups of training subjects in that cross-validation, which also predicts the training '
        'clips.',
        low=2,
        high=1000,
    )
    top_k: int = field(
        1, 'The outputs of the detectors of this many best choices are averaged.', low=1, high=1000
    )
    mirror: bool = field(True, 'Train on and predict mirror images too, as head.mirror.')
    drawn: str = field('', 'Drawn faces that train the detectors of every fold, as head.drawn.')
    drawn_weight: tuple = field(
        (0.0, 0.1, 1.0), 'As head.drawn_weight, chosen as cost.', low=0, high=1e6
    )


@dataclass(frozen=True)
class Settings:
    """All settings of an experiment."""

    name: str
    data: Data = Data()
    spotting: Spotting = Spotting()
    protocol: Protocol = Protocol()
    model: Model = Model()
    pretrain: Pretrain = Pretrain()
    train: Train = Train()
    choose: Choose = Choose()
    balance: Balance = Balance()
    gan: Gan = Gan()
    alignment: Alignment = Alignment()
    augment: Augment = Augment()
    evaluate: Evaluate = Evaluate()
    explain: Explain = Explain()
    head: Head = Head()
    detectors: Detectors = Detectors()

    @property
    def trainings(self) -> int:
        """Trainings that test each clip: draws of the folds x seeds."""
        return self.protocol.repeat * self.train.seeds
