"""How the shipped pruner was made: read `pretrain` first."""
