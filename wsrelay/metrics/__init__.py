"""How the relay is doing: Prometheus' metrics and a status document, on a listener of their own."""
