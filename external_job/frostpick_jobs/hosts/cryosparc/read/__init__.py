"""From outputs of a project to micrographs, labels and rows."""
