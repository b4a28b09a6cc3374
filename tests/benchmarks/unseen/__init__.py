"""A protocol that cannot be tuned on one set: proteins of every shape that no model has seen.

Read `proteins` first (what is on the micrographs), then `micrograph`, `matched_filter`, `bins`.
"""
