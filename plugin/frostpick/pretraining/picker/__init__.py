"""How `general` was made: the corpus on disk, its looks, supervised training; read `pretrain`."""
