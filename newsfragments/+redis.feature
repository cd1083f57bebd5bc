Several nodes act as one relay by way of Redis: `--redis redis://HOST:PORT`, or `rediss://`, `unix://`, `redis+sentinel://`, `redis+cluster://`. See docs/clustering.md.
