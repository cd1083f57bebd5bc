"""Several processes on one port as one relay: who starts them, watches them and speaks for them.

The *parent* is the process that was started. It opens the ports, holds no clients, and starts the
*workers*, each a whole relay that serves with sockets which the parent opened for it.
"""
