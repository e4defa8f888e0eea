"""The training of all folds in one compiled program."""
