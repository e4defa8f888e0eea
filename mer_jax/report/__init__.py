"""Tables, plots and pages from the files of runs."""
