"""Proteins as Gaussian blobs: made up, or assembled from chains of known structures."""
