Documentation for the first five minutes (`docs/quickstart.md`) and for coming from Soketi, Reverb, laravel-websockets or Pusher (`docs/migrating.md`).
