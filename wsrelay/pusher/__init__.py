"""The interpreter: turns text into meaning and back, one conversation per client.

Pusher Channels protocol 7. Pure: no Twisted, no sockets; time is passed in.
"""
