"""Whether picks and extracted particles are particles, and why not; read `prune` first."""
