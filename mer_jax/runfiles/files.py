"""The names of the files and folders of a run."""

CONFIG = 'config.json'
PLAN = 'plan.json'
FOLDS = 'folds.csv'
DROPPED = 'dropped.csv'
METRICS = 'metrics.jsonl'
HELD_OUT = 'held_out.npy'
PREDICTIONS = 'predictions.csv'
APEXES = 'apexes.csv'
HEADS = 'heads.csv'
SUPPORT_VECTORS = 'heads.npz'
RESULTS = 'results.json'
REPORT = 'report.html'
PLOTS = 'plots'
GAN = 'gan'  # folder of a run's GANs: their images, and how much these resemble real ones
GAN_IMAGES = 'images.npy'  # in GAN
GAN_CHECKS = 'checks.json'  # in GAN
EXPLAIN = 'explain'  # folder of figures of what the network looks at
INDEX = 'index.csv'  # in EXPLAIN
CAPTIONS = 'captions.json'  # in EXPLAIN
CHECKPOINTS = 'checkpoints'
TENSORBOARD = 'tensorboard'
LOCK = '.lock'
PART = '.part'  # ending of a file that is being written
