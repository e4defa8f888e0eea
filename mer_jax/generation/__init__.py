"""A GAN for every fold, and the rows that it adds."""
