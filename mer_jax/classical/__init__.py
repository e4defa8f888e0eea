"""Features of clips and support vector machines."""
