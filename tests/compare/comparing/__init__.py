"""Judge a refactoring: an earlier commit and the current tree on the same data, byte for byte.

``cases*`` say what is run, ``environments`` where, ``masks`` what may differ.
"""
