"""The pruning benchmark: boxes of the development sets, Topaz's picks, speed."""
