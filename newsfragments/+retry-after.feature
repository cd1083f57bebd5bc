A subscription that fails for a fault of the relay is answered with `pusher:subscription_error` 500, and every 503 of the HTTP API says `Retry-After`.
