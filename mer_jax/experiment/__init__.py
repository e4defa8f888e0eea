"""From settings to a finished run: the one place that reads a config."""
