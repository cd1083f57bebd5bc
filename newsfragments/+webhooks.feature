Webhooks of all seven kinds, signed, filtered and batched as Pusher's are, held back for three seconds so that a page refresh makes none, and tried again for five minutes.
