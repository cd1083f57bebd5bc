"""The doors: WebSocket connections. The only package that knows Autobahn."""
