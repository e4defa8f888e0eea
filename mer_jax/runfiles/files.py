"""The names of the files and folders of a run."""

CONFIG = 'config.json'
PLAN = 'plan.json'
FOLDS = 'folds.csv'
DROPPED = 'dropped.csv'
METRICS = 'metrics.jsonl'
EPOCH_OUTPUTS = 'held_out.npy'
PREDICTIONS = 'predictions.csv'
PREDICTION_FILE = 'predictions.json'  # of the verb predict
PREDICTION_PAGE = 'predictions.html'
APEXES = 'apexes.csv'
CHOICES = 'choices.csv'
SVM_TABLE = 'heads.csv'
SVM_ARRAYS = 'heads.npz'
DETECTORS = 'detectors.csv'
DETECTOR_ARRAYS = 'detectors.npz'
REGRESSIONS = 'regressions.npz'
STACKS = 'stacks.csv'
STACK_ARRAYS = 'stacks.npz'
RESULTS = 'results.json'
CALIBRATION = 'calibration.json'
REPORT = 'report.html'
PLOTS = 'plots'
GAN = 'gan'  # folder: images of the GANs, and how much they resemble real ones
GAN_IMAGES = 'images.npy'  # in GAN
GAN_CHECKS = 'checks.json'  # in GAN
EXPLAIN = 'explain'  # folder: pictures of what the network looks at
INDEX = 'index.csv'  # in EXPLAIN
CAPTIONS = 'captions.json'  # in EXPLAIN
IMPORTANCE = 'importance.csv'  # in EXPLAIN
SPOTTING = 'spotting'  # folder: the spotting run whose apexes recognition uses
FOLD_OUTPUTS = 'fold_outputs'  # folder: what the user's code predicted, fold by fold
CHOICE = 'choice'  # folder: the trainings by which folds choose, until all have chosen
PRETRAINING = 'pretraining'  # folder: the training on drawn faces, before the folds
CHECKPOINTS = 'checkpoints'
TENSORBOARD = 'tensorboard'
FOLDERS = (
    PLOTS,
    GAN,
    EXPLAIN,
    SPOTTING,
    FOLD_OUTPUTS,
    CHOICE,
    PRETRAINING,
    CHECKPOINTS,
    TENSORBOARD,
)
# files that the end of a run writes; a folder in their place would lose it
WRITTEN = (
    FOLDS,
    DROPPED,
    METRICS,
    PREDICTIONS,
    RESULTS,
    REPORT,
    PLAN,
    SVM_TABLE,
    SVM_ARRAYS,
    DETECTORS,
    DETECTOR_ARRAYS,
    REGRESSIONS,
    STACKS,
    STACK_ARRAYS,
    CHOICES,
)
LOCK = '.lock'
PART = '.part'  # ending of a file that is being written
