"""frostpick's jobs in Doppio and ccpem-pipeliner.

The pipeliner loads every job in its own interpreter. So this package imports the standard library
and the pipeliner alone; its forms were made from frostpick's declarations before (`forms`), and
the work is done by frostpick's own programs.
"""
