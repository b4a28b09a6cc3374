"""What occurs again and again in micrographs, found without labels and without a model."""
