"""Studies of several runs: leak audit, grid, compare, diff."""
