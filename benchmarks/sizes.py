"""Networks whose speed is compared, and their sizes; without jax and PyTorch, for both sides."""

INPUTS = {
    'ststnet': (28, 28, 3),
    'htnet': (28, 28, 3),
    'sssnet': (28, 28, 3),
    'rcn_a': (28, 28, 3),
    'offapexnet': (28, 28, 2),
    'dual_inception': (28, 28, 2),
    'alexnet': (75, 75, 2),
    'vggm': (75, 75, 2),
    'ocnet': (75, 75, 2),
    'dual_branch': (64, 64, 3),
    'dual_branch_medium': (112, 112, 3),
    'cnn3d': (8, 32, 32, 1),
    'cnn3d_wide': (8, 32, 32, 1),
    'cnn3d_paper': (16, 128, 128, 1),
}
CLIPS = {'cnn3d': 16, 'cnn3d_wide': 64, 'cnn3d_paper': 64}  # width
REGIONAL = {
    'dual_branch': {'width': 16, 'blocks': 1, 'hidden': 128, 'unstrided_layers': 1},
    'dual_branch_medium': {'width': 32, 'hidden': 256},
}
TORCH_SIZES = {
    'alexnet': {'hidden': 4096},
    'htnet': {'dim': 64, 'depth': 10, 'patch': 7, 'hierarchies': 3},
}
