"""What the gate costs, in ratios: ``python -m benchmarks [NAME...]``."""
