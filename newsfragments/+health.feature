`GET /ready` says whether the relay may be given traffic: 200, or 503 with every reason and `Retry-After`. `GET /up` says whether it is alive, as before.
