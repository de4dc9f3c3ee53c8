"""Rules without I/O and without a clock: ``now`` is always an argument.

The modules do not know each other; whoever needs two of them stands above.
"""
