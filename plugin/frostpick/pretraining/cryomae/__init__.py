"""How the encoder of few-shot picking was made: read `pretrain` first."""
