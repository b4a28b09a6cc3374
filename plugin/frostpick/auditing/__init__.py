"""Precision from some sixty picks that a person has judged: drawn by score, and what follows."""
