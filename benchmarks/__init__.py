"""Measures wsrelay beside its peers: ``python -m benchmarks``. See README.md."""
