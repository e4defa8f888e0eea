"""What papers print and their authors' code does, beside what this program does by default.

systems_page.py makes docs/generated/choices/PAGE.md of each, which docs/systems/PAGE.md includes.
It reads our defaults and those of `:published` from the configs, so that no value of a setting
stands here.
"""

from typing import NamedTuple

SILENT = 'not stated'
UNREAD = 'not read'  # the text was not at hand
SAME = 'the same'
NO_CODE = 'no code'


class Choice(NamedTuple):
    """One choice of a system."""

    choice: str
    paper: str
    released: str  # the code of the authors, or what else is public
    reason: str  # of our default
    settings: tuple[str, ...] = ()  # that hold it here
    ours: str = ''  # in words, where no setting holds it, or where the setting needs some


class System(NamedTuple):
    """A published system, and one config that runs it."""

    page: str  # docs/systems/PAGE.md
    paper: str
    code: str
    config: str
    choices: tuple[Choice, ...]
    lost: tuple[str, ...]  # what `:published` does not restore


DUAL_BRANCH = System(
    'dual_branch',
    'Ruan, Lo, Shuai and Cheng, ACM MM 2022',
    'Justin900429/mimicking-annotation-micro-expression-recognition at b0317b9',
    'casme2_dualbranch',
    (
        Choice(
            'face',
            'crops by OpenFace (CASME II), the box of 68 landmarks (SAMM)',
            SAME + '; the settings of OpenFace are not given',
            'one crop for all releases, from the onset frame',
            ours="a release's crop as it is; else level eyes at fixed places",
        ),
        Choice(
            'pictures',
            SILENT,
            'measured in the pixels of the crop; stored as JPEG (Pillow, quality 75, first channel '
            'red); resized bilinearly, four pixels for each new one',
            'flow of one size for every face; JPEG mixes three channels that show different things',
            ('data.name',),
            'measured at 224x224, without loss',
        ),
        Choice(
            'magnifier',
            'learned (Oh et al. 2018), factor 6',
            'its TensorFlow weights, on crops of any size',
            'its weights are not part of this program; with them: `magnifier=magnet` behind '
            '`casme2/samer` and `data.magnet`',
            ours='phase, factor 6',
        ),
        Choice(
            'small motion',
            'kept',
            'below 1.5 times the mean of the image: 0',
            'as released; `threshold=0` keeps it',
            ours='as released',
        ),
        Choice(
            'target of the flow',
            'the apex (CASME II), the magnified apex (SAMM)',
            SAME,
            'as published; `target=apex` or `magnified` chooses',
            ours='as published',
        ),
        Choice(
            'units of reference',
            SILENT,
            'every number of a cell counts, also of `ref(43)`',
            'a reference is there throughout and is no movement of the clip',
            ours='do not count; `reference_units=count`',
        ),
        Choice(
            'units after Region Replacing',
            'of what is replaced',
            'the union of both clips',
            'the units of the mouth that was taken away are not in the picture',
            ('augment.replace_units',),
        ),
        Choice(
            'alignment loss',
            'Eq. 5: all pairs but those of a clip with itself',
            'a numerator with every pair, a denominator without the diagonal; temperature .1',
            'no pair of a clip with itself, anywhere',
            ('alignment.variant', 'alignment.temperature'),
        ),
        Choice(
            'random erasing',
            SILENT,
            '.02 to .3 of the area, probability .5',
            'as released',
            ('augment.erase',),
            '.02 to .3 of the area',
        ),
        Choice(
            'cross-entropy',
            'weighted',
            'weights n_max / n_c, label smoothing .1',
            'as released',
            ('train.class_weights', 'train.label_smoothing'),
        ),
        Choice(
            'epochs',
            '100',
            '100, rate by warm restarts after 10, 30 and 70',
            '70 ends a cycle; 100 stops at two thirds of the highest rate',
            ('train.epochs',),
        ),
        Choice(
            'which epoch',
            SILENT,
            'the best on the left-out subject, fold by fold',
            'a leak; `evaluate.every_epoch` shows what it claims',
            ours='the last',
        ),
        Choice(
            'start',
            SILENT,
            'ResNet18 of ImageNet',
            'nothing is downloaded; give its file',
            ('model.init_from',),
        ),
        Choice(
            'first values of kernels',
            SILENT,
            'normal, by the number of outputs, without a bound',
            'the same without values beyond two standard deviations',
            ('model.dual_branch.initial_kernels', 'model.single_branch.initial_kernels'),
        ),
        Choice(
            'batch statistics of the shared layers',
            SILENT,
            'eyes and mouth go through them one after the other, each by its own statistics',
            'as released',
            ('model.dual_branch.batch_statistics',),
        ),
        Choice(
            'trained weights',
            SILENT,
            'a file for each fold, of the epoch that was best on the left-out subject',
            'they load by `model.init_from`; `leaks` names the choice of the epoch',
            ours='none',
        ),
        Choice(
            'attention',
            'shuffle attention, weights of its own for each group',
            'softmax across four groups, not a sigmoid',
            'as released',
            ('model.dual_branch.attention',),
        ),
        Choice(
            'both heads',
            'probabilities are added',
            'logits are added',
            'as released',
            ('model.dual_branch.head_fusion',),
        ),
        Choice(
            'AU-CAM',
            'a target for each region',
            'the map of the eyes comes from the target of the mouth',
            'the released map shows the wrong region',
            ('explain.au_cam',),
        ),
    ),
    (
        'the last, smaller batch of an epoch: steps here are equal',
        'pictures are stored in bytes after resizing: off by at most half a byte',
        "numbers drawn by PyTorch, OpenFace's crops, and the choice of the epoch",
    ),
)
STSTNET = System(
    'ststnet',
    'Liong, Gan, See, Khor and Huang, FG 2019',
    'christy1206/STSTNet at 1afb56e, in Matlab and in Python',
    'megc2019_ststnet',
    (
        Choice(
            'epochs',
            '500',
            '500 (Matlab), 800 (Python)',
            'as printed',
            ('train.epochs',),
        ),
        Choice(
            'order of rows',
            SILENT,
            'Matlab shuffles once; Python never, class by class',
            'batches of one class alone move batch statistics',
            ('train.sampler',),
        ),
        Choice(
            'batch',
            SILENT,
            '256, and the rest as a smaller one',
            'as released, in equal steps',
            ('train.batch_size',),
        ),
        Choice(
            'optimizer',
            '5e-5',
            'Adam, 5e-5',
            'as released',
            ('train.optimizer', 'train.learning_rate'),
        ),
        Choice(
            'input',
            'horizontal and vertical flow, strain; 28x28',
            'bytes 0..255 as OpenCV reads them: strain, v, u',
            'as released',
            ('data.channels', 'data.value_range', 'data.size'),
        ),
        Choice(
            'which epoch',
            SILENT,
            'the last',
            'as released',
            ours='the last',
        ),
        Choice(
            'seeds',
            SILENT,
            'one training, without a seed',
            'the spread between trainings is as large as between methods',
            ('train.seeds',),
        ),
    ),
    (
        'the smaller second batch (256 and 186 of 442 rows): steps here are equal',
        'the order of files on another system than the authors had, and numbers drawn by PyTorch',
    ),
)
OFFAPEXNET = System(
    'offapexnet',
    'Gan, Liong et al., Signal Processing: Image Communication 2019',
    "none of the authors'; others' in ECNU-Cross-Innovation-Lab/PRICAI2021-Off-TANet and "
    'tvaranka/meb at f731b0a',
    'megc2019_offapexnet',
    (
        Choice(
            'epochs',
            UNREAD,
            '3000 in both',
            'as in the public code',
            ('train.epochs',),
        ),
        Choice(
            'optimizer',
            UNREAD,
            'Adam, 1e-4; meb adds L2 of 1e-3',
            'as in the code with two streams',
            ('train.optimizer', 'train.learning_rate'),
        ),
        Choice(
            'batch',
            UNREAD,
            '64',
            'equal to that of STSTNet, with which it is compared',
            ('train.batch_size',),
        ),
        Choice(
            'activation',
            UNREAD,
            'none after the convolutions of the two streams; ReLU after dense layers',
            'one rule for all networks',
            ours='ReLU after every hidden layer',
        ),
        Choice(
            'dropout',
            UNREAD,
            '.5 of both hidden dense layers',
            'as in the public code',
            ('model.offapexnet.dropout',),
        ),
        Choice(
            'which epoch',
            UNREAD,
            'the best of every 200th on the left-out subject',
            'a leak',
            ours='the last',
        ),
    ),
    (
        'convolutions without ReLU, the choice of the epoch',
        'flow of frames that were shrunk to 28x28 before (OpenCV, bicubic): features here are '
        'those that the authors of STSTNet published',
    ),
)
DUAL_INCEPTION = System(
    'dual_inception',
    'Zhou, Mao and Xue, FG 2019',
    "none of the authors'; others' in ECNU-Cross-Innovation-Lab/PRICAI2021-Off-TANet",
    'megc2019_dual_inception',
    (
        Choice('epochs', UNREAD, '500', 'as in the public code', ('train.epochs',)),
        Choice(
            'optimizer',
            UNREAD,
            'Adam, 1e-3',
            'as in the public code',
            ('train.optimizer', 'train.learning_rate'),
        ),
        Choice(
            'batch',
            UNREAD,
            '64',
            'equal to that of STSTNet, with which it is compared',
            ('train.batch_size',),
        ),
        Choice(
            'dropout',
            UNREAD,
            'none',
            'as in the public code',
            ('model.dual_inception.dropout',),
        ),
        Choice(
            'activation',
            UNREAD,
            'ReLU, but none after the path of one 1x1 convolution',
            'one rule for all networks',
            ours='ReLU after every hidden layer',
        ),
        Choice(
            'which epoch',
            UNREAD,
            'the best of every 20th on the left-out subject',
            'a leak',
            ours='the last',
        ),
    ),
    ('the path without ReLU, the choice of the epoch',),
)
HTNET = System(
    'htnet',
    'Wang, Zhang, Luo and Sankaranarayana, Neurocomputing 602, 2024 (arXiv 2307.14637)',
    'wangzhifengharrison/HTNet at 91cf4bd',
    'megc2019_htnet',
    (
        Choice(
            'attention',
            'local, in each of four areas of the face (abstract)',
            'none: a block is one patch on every level, each softmax is over one token and is 1, '
            'and neither queries nor keys have a gradient; 22,195,200 of its parameters never '
            'train',
            'as released; a test compares softmaxes and gradients with those of PyTorch. '
            '`attention=2x2` weighs four patches (two levels), `attention=7x7` 49 (patches of one '
            'pixel, 50 times the cost)',
            ('model.htnet.patch', 'model.htnet.hierarchies'),
        ),
        Choice(
            'channels',
            UNREAD,
            '256, 512 and 1024: 139,582,982 parameters',
            'what two cores can train: 8,722,310 parameters',
            ('model.htnet.dim', 'model.htnet.heads', 'model.htnet.depth'),
        ),
        Choice(
            'epochs',
            UNREAD,
            '800',
            'what two cores can train',
            ('train.epochs',),
        ),
        Choice(
            'which epoch',
            UNREAD,
            'the best on the left-out subject, fold by fold; of equal ones the last. Reported: UF1 '
            '.860, UAR .848',
            'a leak; `evaluate.every_epoch` shows what it claims',
            ours='the last',
        ),
        Choice(
            'optimizer',
            UNREAD,
            'Adam, 5e-5',
            'as released',
            ('train.optimizer', 'train.learning_rate'),
        ),
        Choice(
            'order of rows',
            UNREAD,
            'never shuffled, class by class',
            'the order of a folder is no part of a method',
            ('train.sampler',),
        ),
        Choice(
            'batch',
            UNREAD,
            '256, and the rest as a smaller one',
            'as released, in equal steps',
            ('train.batch_size',),
        ),
        Choice(
            'input',
            'four areas of eyes and lips',
            'four squares of the features of STSTNet, round landmarks of the apex shrunk to 28x28, '
            'or constants where no face is found there; x is taken as the row and y as the column, '
            'so that top right and bottom left are exchanged',
            'the squares of those constants, which need no face; `squares=none` takes the whole',
            ('model.htnet.squares',),
        ),
        Choice(
            'values',
            UNREAD,
            'bytes 0..255 as OpenCV reads them: strain, v, u',
            'as released: the rate acts otherwise on 0..1',
            ('data.channels', 'data.value_range', 'data.size'),
        ),
        Choice('seeds', UNREAD, 'one training, without a seed', 'as released', ('train.seeds',)),
    ),
    (
        'landmarks of faces that its detector finds in 28x28 pixels, and the choice of the epoch',
        'the smaller second batch, and numbers drawn by PyTorch',
    ),
)
SSSNET = System(
    'sssnet',
    'Varanka, Peng and Zhao, Electronic Imaging 2021',
    "its authors' tvaranka/meb at f731b0a: the network, and a run in the notebook 'Figure 2'",
    'megc2019_sssnet',
    (
        Choice(
            'size',
            UNREAD,
            '64x64, 1,349,251 parameters',
            'the published features have 28x28: 169,603 parameters; enlarged they say no more. '
            'On releases (`casme2_sssnet`) 64',
            ('data.size',),
        ),
        Choice(
            'softmax',
            UNREAD,
            'of the outputs, whose cross-entropy takes another: outputs lie in 0..1, gradients are '
            'small',
            'the usual loss',
            ('model.sssnet.softmax',),
        ),
        Choice(
            'optimizer',
            UNREAD,
            'Adam, 1e-4, weight_decay 1e-3 of PyTorch: L2 in the gradient',
            'as released',
            ('train.optimizer', 'train.learning_rate', 'train.weight_decay'),
        ),
        Choice('epochs', UNREAD, '200', 'as released', ('train.epochs',)),
        Choice(
            'batch',
            UNREAD,
            '32, and the rest as a smaller one',
            'as released, in equal steps',
            ('train.batch_size',),
        ),
        Choice(
            'dropout',
            UNREAD,
            '.5: of whole maps after both convolution units, of the hidden dense layer',
            'as released',
            ('model.sssnet.dropout',),
        ),
        Choice(
            'input',
            UNREAD,
            'u, v and strain, each stretched to 0..1 at full size, then resized; flow by a Matlab '
            'program, strain without its shear',
            'flow of releases by TV-L1, strain with its shear; resized, then stretched',
            ('data.channels', 'data.value_range', 'data.clip_normalise'),
        ),
        Choice(
            'which epoch',
            UNREAD,
            'the last; that run reports UF1 .739 (its three data sets together, one seed)',
            'as released',
            ours='the last',
        ),
        Choice(
            'seeds',
            UNREAD,
            'one',
            'the spread between trainings is as large as between methods',
            ('train.seeds',),
        ),
    ),
    (
        'flow by the Matlab program "classic+nl-fast", the order of stretching and resizing',
        'the last, smaller batch, and numbers drawn by PyTorch',
    ),
)
RCN_A = System(
    'rcn_a',
    'Xia, Peng, Khor, Feng and Zhao, IEEE TIP 2020',
    'xiazhaoqiang/ParameterFreeRCNs-MicroExpressionRec at 0c516cb; a copy in tvaranka/meb',
    'megc2019_rcn_a',
    (
        Choice(
            'maps and grid',
            UNREAD,
            '64 maps and 7x7 by default; 32 and 5x5 in the example of its page',
            'the example: 15,331 parameters',
            ('model.rcn_a.width', 'model.rcn_a.grid'),
        ),
        Choice(
            'optimizer',
            UNREAD,
            'SGD, 5e-4, momentum .9; a schedule is made that halves the rate every ten epochs, but '
            'is never stepped',
            'as it runs',
            ('train.optimizer', 'train.learning_rate', 'train.momentum', 'train.schedule'),
        ),
        Choice(
            'epochs',
            UNREAD,
            '100 by default, 20 in the example',
            'the default',
            ('train.epochs',),
        ),
        Choice(
            'batch',
            UNREAD,
            '64, and the rest as a smaller one',
            'as released, in equal steps',
            ('train.batch_size',),
        ),
        Choice(
            'dropout',
            UNREAD,
            '.5 after both max-pools',
            'as released',
            ('model.rcn_a.dropout',),
        ),
        Choice(
            'input',
            'of low resolution (abstract)',
            'pictures of flow, 0..1; neither their size nor the flow is part of the code',
            'the published features; on releases (`casme2_rcn_a`) 60x60, as in meb',
            ('data.channels', 'data.value_range', 'data.size'),
        ),
        Choice(
            'attention',
            UNREAD,
            'the last layer, laid over early maps, stretched to 0..1; 0 / 0 where it is constant',
            'as released, but 0 there',
            ours='as released',
        ),
        Choice('which epoch', UNREAD, 'the last', 'as released', ours='the last'),
        Choice(
            'seeds',
            UNREAD,
            'one, set to 1',
            'the spread between trainings is as large as between methods',
            ('train.seeds',),
        ),
    ),
    (
        'the pictures of flow that its authors trained on, and their size',
        'the last, smaller batch, and numbers drawn by PyTorch',
    ),
)
OCNET = System(
    'ocnet',
    'Koo, Zulkifley and Kamari, Sensors 22(11):4011, 2022',
    NO_CODE,
    'casme2_ocnet',
    (
        Choice(
            'optimizer',
            'Adam, 6e-5, 500 epochs',
            NO_CODE,
            'as printed',
            ('train.optimizer', 'train.learning_rate', 'train.epochs'),
        ),
        Choice('batch', SILENT, NO_CODE, 'our choice', ('train.batch_size',)),
        Choice(
            'widths',
            'in Figure 11, which is not readable; the last layer has 512',
            NO_CODE,
            'the widths that fit the printed sizes',
            ('model.ocnet.width',),
        ),
        Choice(
            'dropout',
            'in the first two units, chosen by the tested results (Table 7)',
            NO_CODE,
            'as printed; `dropout=` has the other rows',
            ('model.ocnet.dropout_units', 'model.ocnet.dropout'),
        ),
        Choice(
            'scale of flow',
            SILENT,
            NO_CODE,
            'fitted to the training rows of a fold',
            ('data.input_scaler', 'data.value_range'),
        ),
        Choice(
            'GAN',
            'one for all databases, trained before LOSO; 100 images a class',
            NO_CODE,
            'without one unless `gan=on`, which trains one for each fold; the one GAN has seen '
            'every left-out subject',
            ('balance.method', 'gan.scope', 'gan.images_per_class'),
        ),
        Choice(
            'rate of the GAN',
            'Adam, .002, momentum .5',
            NO_CODE,
            'ten times less, as is usual; .002 may be a misprint',
            ('gan.learning_rate',),
        ),
        Choice(
            'size of its images',
            '80x80, for a classifier of 75x75',
            NO_CODE,
            'resized bilinearly; `gan.resize=crop` cuts out the middle',
            ('gan.size', 'gan.resize', 'data.size'),
        ),
        Choice(
            'its discriminator',
            'ends in dense and softmax',
            NO_CODE,
            'softmax of one output is always 1; `published` has two outputs',
            ('gan.discriminator_output',),
        ),
        Choice(
            'batch norm of the GAN',
            SILENT,
            NO_CODE,
            'its statistics depend on the mix of classes in a batch',
            ('gan.batch_norm',),
        ),
        Choice(
            'VGG-M beside it',
            'Adam, 1e-4 (printed for spotting)',
            NO_CODE,
            'the only rate that is printed for it',
            ours='`network=vggm` and `megc2019_vggm`',
        ),
        Choice(
            'AlexNet beside it',
            SILENT,
            NO_CODE,
            'nothing is printed',
            ours='`network=alexnet` and `megc2019_alexnet`',
        ),
        Choice(
            'apexes of SMIC',
            'by the spotter',
            NO_CODE,
            'the middle of the clip; `data.apex=smic_spotting` trains the spotter first, by LOSO',
            ('data.apex',),
        ),
        Choice(
            'scores',
            '"accuracy" is that of one class against the rest, "F1" is micro-F1',
            NO_CODE,
            'UF1, UAR and accuracy; the others are in results.json',
            ours='all',
        ),
    ),
    (
        'layers and sizes that only the figures show, batches, the scale of flow',
        'the clip of SAMM that its 441 lack',
    ),
)
SPOTTING = System(
    'spotting',
    'Koo, Zulkifley and Kamari, Sensors 22(11):4011, 2022',
    NO_CODE,
    'casme2_spotting',
    (
        Choice(
            'split',
            'five folds of clips',
            NO_CODE,
            'frames of one subject on both sides are a leak',
            ('protocol.name', 'protocol.folds'),
        ),
        Choice(
            'optimizer',
            'Adam, 1e-4, 1000 epochs, 64 frames',
            NO_CODE,
            'as printed',
            ('train.optimizer', 'train.learning_rate', 'train.epochs', 'train.batch_size'),
        ),
        Choice(
            'output',
            'softmax of one unit',
            NO_CODE,
            'softmax of one output is always 1',
            ('spotting.output',),
        ),
        Choice(
            'max-pools',
            'stride 1 for the first two',
            NO_CODE,
            'the printed sizes need stride 2',
            ours='stride 2',
        ),
        Choice(
            'labels',
            'linear, exponential, logarithmic, impulse; no formulas',
            NO_CODE,
            'each from 0 at onset and offset to 1 at the apex',
            ('spotting.label', 'spotting.steepness'),
        ),
        Choice(
            'decision',
            'SW-Max, a window of 9 frames',
            NO_CODE,
            'the middle of the window; all decisions are reported',
            ('spotting.decoder', 'spotting.window'),
        ),
        Choice('loss', SILENT, NO_CODE, 'our choice', ours='squared error'),
    ),
    ('parameters of local response normalisation, the formulas of the labels',),
)
CNN3D = System(
    'cnn3d',
    'Irawan et al. 2024',
    NO_CODE,
    'casme2_cnn3d',
    (
        Choice(
            'split',
            'clips at random, 80/10/10',
            NO_CODE,
            'subjects on both sides are a leak',
            ('protocol.name', 'protocol.holdout', 'protocol.validation'),
        ),
        Choice(
            'balancing',
            'before the split is described',
            NO_CODE,
            'from training rows alone',
            ('balance.scope',),
        ),
        Choice(
            'layers',
            '64 filters 3x3, ReLU, 2x2 pooling, dropout; Figure 4 is not readable',
            NO_CODE,
            'the literal reading has 228 million parameters: `model.cnn3d.arch=literal`',
            ('model.cnn3d.arch', 'model.cnn3d.head'),
        ),
        Choice(
            'epochs',
            '50 in one place, 5 or 10 in another',
            NO_CODE,
            'the largest',
            ('train.epochs',),
        ),
        Choice(
            'batch',
            '16, 24 or 32',
            NO_CODE,
            'the first',
            ('train.batch_size',),
        ),
        Choice(
            'mask',
            'eyes and mouth are black in one sentence, and looked at in others',
            NO_CODE,
            'the reading that fits the rest',
            ('data.mask',),
        ),
        Choice(
            'frames',
            SILENT,
            NO_CODE,
            'our choice',
            ('data.frames', 'data.size'),
        ),
        Choice(
            'augmentation',
            'rotation to 15 degrees, a crop of 10 % of the area, contrast to 30 %, brightness',
            NO_CODE,
            'one draw for all frames of a clip; brightness as contrast',
            ours='as printed (`variant=da`, `dacwb`)',
        ),
        Choice(
            'class weights',
            'N / n_c',
            NO_CODE,
            'the loss is a weighted mean, in which the factor has no effect',
            ours='`balanced` (`variant=dacwb`)',
        ),
    ),
    ('layers, frames and the part of the data that is left out: none of these is printed',),
)
MICROEXPSTCNN = System(
    'microexpstcnn',
    'Reddy, Karri, Dubey and Mukherjee, IJCNN 2019',
    'bogireddytejareddy/micro-expression-recognition at b096f80',
    'smic_microexpstcnn',
    (
        Choice(
            'split',
            'clips at random, 80/20',
            SAME,
            'subjects on both sides are a leak',
            ('protocol.name', 'protocol.holdout'),
        ),
        Choice(
            'scaling',
            SILENT,
            'minus the mean, divided by the largest value that is left, of all clips',
            'of training rows',
            ('data.input_scaler', 'data.scaler_scope'),
        ),
        Choice(
            'which epoch',
            SILENT,
            'the best on the tested 20 %',
            'a leak; the block `oracle_epoch` of results.json has what it claims',
            ('evaluate.every_epoch',),
            'the last',
        ),
        Choice(
            'frames',
            'the first 18 (SMIC), 96 (CAS(ME)^2)',
            SAME + ', 72 to 167',
            'the whole clip, evenly',
            ('data.frames', 'data.size'),
        ),
        Choice(
            'optimizer',
            "Keras's SGD by default, 100 epochs",
            SAME,
            'as released',
            ('train.optimizer', 'train.learning_rate', 'train.momentum', 'train.epochs'),
        ),
        Choice('batch', '8', '16', 'as released', ('train.batch_size',)),
        Choice(
            'dropout',
            '.5 twice',
            SAME,
            'as released',
            ('model.microexpstcnn.dropout',),
        ),
    ),
    (
        "the first 18 frames instead of 18 of the clip, Keras's initialisation of dense layers "
        '(normal, .05), the last, smaller batch',
    ),
)
HYBRID = System(
    'hybrid',
    'two reports that circulate without authors or venue (documents 000 and 001 in the code here)',
    NO_CODE,
    'casme2_hybrid',
    (
        Choice(
            'optimizer',
            'Adam, .001, weight_decay 1e-4 of PyTorch: L2 in the gradient',
            NO_CODE,
            'as printed',
            ('train.optimizer', 'train.learning_rate', 'train.weight_decay'),
        ),
        Choice(
            'balancing',
            'copies, changed, up to 62 of each class, before folds are described',
            NO_CODE,
            'without it unless `augment=on`, up to the largest class of a fold',
            ('balance.method', 'augment.rotate', 'augment.contrast', 'augment.brightness'),
        ),
        Choice(
            'flow, augmented',
            'noise .01, scale .9 to 1.1',
            NO_CODE,
            'with `augment=on`',
            ('augment.noise', 'augment.flow_scale'),
        ),
        Choice(
            'network',
            'ResNet18, modified; 128 features',
            NO_CODE,
            'a stem for 64 pixels and nine channels',
            ours='stem 3x3 without pooling',
        ),
        Choice(
            'rows that the network trains on',
            SILENT + '; its LOSO figure equals its training accuracy',
            NO_CODE,
            'training rows; `leak=on` shows the other reading',
            ('head.scope',),
        ),
        Choice(
            'handcrafted features',
            '48, not named',
            NO_CODE,
            'directions of flow in three bands, of both phases',
            ours='`bands`',
        ),
        Choice(
            'SVM',
            'RBF, C 100, gamma .001, balanced',
            NO_CODE,
            'as printed, on standardised features: else so small a gamma says nothing',
            ('head.kernel', 'head.cost', 'head.gamma', 'head.scale'),
        ),
        Choice(
            'input',
            'pixels 0..1',
            NO_CODE,
            'flow needs a scale too; fitted to training rows',
            ('data.input_scaler', 'data.size'),
        ),
        Choice(
            'frames',
            'onset, apex and offset; in colour in document 001',
            NO_CODE,
            'gray, which every release has; `key_frames=rgb` has `apex_r,apex_g,apex_b`',
            ('data.channels',),
        ),
        Choice('epochs', SILENT, NO_CODE, 'our choice', ('train.epochs', 'train.batch_size')),
    ),
    (
        'the 62 copies of a class that were made before folds, the 48 features, epochs',
        'figures that no count of clips gives: 92.0 % of 27 clips',
    ),
)
HANDCRAFTED = System(
    'handcrafted',
    'Bi-WOOF: Liong, See, Wong and Phan 2018; LBP-TOP: Zhao and Pietikainen 2007; MDMO: Liu et al. '
    '2016',
    'christy1206/biwoof at 0b57b37; tvaranka/meb at f731b0a',
    'casme2_handcrafted',
    (
        Choice(
            'Bi-WOOF',
            'eight directions, weighted by magnitude and, each block, by strain',
            'edges at multiples of 45 degrees, blocks that share two pixels, of sum 1 times their '
            'summed strain, all of length 1',
            '`features=bi_woof` is the released form, `bi_woof_centred` ours; without either: HOOF',
            ('head.features',),
        ),
        Choice(
            'LBP-TOP',
            'radii and blocks are to be chosen',
            'meb: 8x8 blocks that overlap by 70 %, radii 3, frames 0 to 9; SVM with a polynomial',
            'smaller, without overlap, over the whole clip',
            ours='5x5 blocks, radii 1, 1 and 4; linear SVM',
        ),
        Choice(
            'MDMO',
            'regions of 36 outlines',
            "meb: SVM with RBF, C 28, gamma by scikit-learn's `scale`",
            'our own division of the face; angles are averaged as vectors',
            ours='C 28, gamma .001, standardised',
        ),
    ),
    (
        "meb's forms of LBP-TOP and MDMO, which are not by their authors: polynomial kernels, "
        '`gamma=scale` and overlapping blocks are not part of this program',
        "the SVM of Bi-WOOF, which its authors' code does not hold, and what its weighted "
        'histogram, a file that is not part of it, does from 135 degrees on',
    ),
)
SYSTEMS = (
    DUAL_BRANCH,
    STSTNET,
    OFFAPEXNET,
    DUAL_INCEPTION,
    HTNET,
    SSSNET,
    RCN_A,
    OCNET,
    SPOTTING,
    CNN3D,
    MICROEXPSTCNN,
    HYBRID,
    HANDCRAFTED,
)
