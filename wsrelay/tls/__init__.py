"""TLS in the process: certificates by name, renewed while connections stay open."""
