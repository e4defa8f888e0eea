"""Tables, plots and pages, from the files of a run alone; never jax."""
