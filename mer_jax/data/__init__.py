"""What an experiment learns from: data sets read, label schemes, network inputs, apex rules."""
