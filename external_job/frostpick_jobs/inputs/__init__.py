"""What folder and RELION jobs are given: micrographs found, names matched, labels and rows read."""
