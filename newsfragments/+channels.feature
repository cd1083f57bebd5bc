Cache channels, end-to-end encrypted channels, sign-in with events to a user, watchlists, `subscription_count`, and connections that a backend can terminate: all that stock Pusher clients know.
