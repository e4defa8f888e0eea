"""Several runs side by side: leak audit, grid, compare."""
