"""Whether picks and extracted particles are particles, and why not: `fit`, `scoring`, `judge`."""
