"""The front desk: the signed HTTP API for backends, and health."""
