// One client of pusher-js or laravel-echo, which does what it is told and tells what it hears.
// Nothing here knows whether it runs under Node or in a browser.

class PusherJs {
  constructor(Pusher, tell, { key, options }) {
    this.tell = tell
    this.pusher = new Pusher(key, options)
    listenToConnection(this.pusher, tell)
  }

  // Binds the named events, and those by which every channel tells of itself.
  subscribe({ channel, events }) {
    const subscription = this.pusher.subscribe(channel)
    const own = [
      ...["subscription_succeeded", "subscription_error", "subscription_count", "cache_miss"],
      ...["member_added", "member_removed"],
    ]
    for (const event of [...own.map((name) => "pusher:" + name), ...events]) {
      subscription.bind(event, (data, metadata) =>
        this.tell({ source: "channel", event, channel, data, user_id: metadata?.user_id }),
      )
    }
  }

  unsubscribe({ channel }) {
    this.pusher.unsubscribe(channel)
  }

  trigger({ channel, event, data }) {
    return this.pusher.channel(channel).trigger(event, data)
  }

  // Sends an event of any name, which `trigger` would refuse.
  send({ event, data, channel }) {
    return this.pusher.send_event(event, data, channel)
  }

  members({ channel }) {
    return this.pusher.channel(channel).members
  }

  signIn({ events }) {
    signIn(this.pusher, this.pusher, events, this.tell)
  }

  socketId() {
    return this.pusher.connection.socket_id
  }

  reconnect() {
    this.pusher.disconnect()
    this.pusher.connect()
  }

  disconnect() {
    this.pusher.disconnect()
  }
}

class LaravelEcho {
  constructor(Echo, tell, { options }) {
    this.tell = tell
    this.echo = new Echo(options)
    listenToConnection(this.echo.connector.pusher, tell)
  }

  // `how` is Echo's own method: "channel", "private", "encryptedPrivate" or "join".
  open({ how, channel, events, whispers }) {
    const tell = (event) => (data) => this.tell({ source: "echo", channel, event, data })
    const opened = this.echo[how](channel)
    opened.subscribed(tell("subscribed")).error(tell("error"))
    if (how === "join") {
      opened.here(tell("here")).joining(tell("joining")).leaving(tell("leaving"))
    }
    for (const event of events) opened.listen(event, tell(event))
    for (const event of whispers) opened.listenForWhisper(event, tell("whisper " + event))
  }

  whisper({ how, channel, event, data }) {
    this.echo[how](channel).whisper(event, data)
  }

  leave({ channel }) {
    this.echo.leave(channel)
  }

  signIn({ events }) {
    signIn(this.echo.connector, this.echo.connector.pusher, events, this.tell)
  }

  socketId() {
    return this.echo.socketId()
  }

  disconnect() {
    this.echo.disconnect()
  }
}

// States, errors and the message of every frame, in the order in which the library tells them.
function listenToConnection({ connection }, tell) {
  connection.bind("state_change", ({ current }) => tell({ source: "state", event: current }))
  connection.bind("error", (error) => tell({ source: "error", event: "error", data: error }))
  connection.bind("message", (message) => tell({ source: "frame", ...message }))
}

// Binds the named events, and those of the watchlist, to the user; `signer` has the method `signin`.
function signIn(signer, { user }, events, tell) {
  for (const event of events) user.bind(event, (data) => tell({ source: "user", event, data }))
  for (const event of ["online", "offline"]) {
    user.watchlist.bind(event, ({ user_ids }) =>
      tell({ source: "watchlist", event, data: user_ids }),
    )
  }
  signer.signin()
}

// `builds` are those of pusher-js, `echoes` the versions of Echo, by the names by which they are
// asked for; `tell` takes what the client hears. Returns the function that performs a command.
export function client(builds, echoes, tell) {
  let speaking
  return ({ do: action, library, build, ...given }) => {
    if (action !== "connect") return speaking[action](given)
    const Pusher = (window.Pusher = builds[build]) // where laravel-echo 2 looks for it
    const Echo = echoes[library]
    speaking = Echo ? new LaravelEcho(Echo, tell, given) : new PusherJs(Pusher, tell, given)
  }
}
