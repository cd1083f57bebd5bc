"""What channels do for stock clients beyond Pusher: each rule one decision, all of them opt-in.

Pure, and imports the hall only. ``rulebook`` finds the rules of a channel when the channel comes to
be; ``channel`` puts them together; the others decide one thing each.
"""
