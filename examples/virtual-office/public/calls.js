// Calls to the people who are near, by stock simple-peer. When one begins and ends is not decided
// here: the room says so. Signals go through it, too, each to the one whom it is for.

const RETRY = 1500 // milliseconds

export class Calls {
  constructor({ media, iceServers, send, changed }) {
    this.media = media
    this.iceServers = iceServers // () => what RTCPeerConnection takes
    this.send = send // (to, { call, signal })
    this.changed = changed // (id): streams have come or gone
    this.open = new Map()
  }

  // Somebody is near. The caller calls; the other waits for it.
  begin(id, isCaller) {
    if (isCaller && !this.open.has(id)) this.#open(id, crypto.randomUUID().slice(0, 8), true)
  }

  end(id) {
    this.#close(this.open.get(id))
  }

  endAll() {
    for (const id of [...this.open.keys()]) this.end(id)
  }

  hear(from, { call, signal }) {
    let known = this.open.get(from)
    if (known?.name !== call) {
      if (signal.type !== "offer") return // of a call that has ended
      this.#close(known)
      known = this.#open(from, call, false)
    }
    known.peer.signal(signal)
  }

  // The microphone, the camera or the screen has come or gone.
  give(kind) {
    for (const call of this.open.values()) this.#give(call, kind)
  }

  streams(id) {
    return this.open.get(id)?.streams ?? new Map()
  }

  isConnected(id) {
    return this.open.get(id)?.peer.connected ?? false
  }

  // 0 to 1, of what was last heard.
  loudness(id) {
    const receivers = this.open.get(id)?.peer._pc?.getReceivers() ?? []
    const levels = receivers.map((one) => one.getSynchronizationSources()[0]?.audioLevel ?? 0)
    return Math.max(0, ...levels)
  }

  #open(id, name, isCaller) {
    const config = { iceServers: this.iceServers() }
    const peer = new SimplePeer({ initiator: isCaller, config, trickle: true })
    const call = { id, name, isCaller, peer, streams: new Map(), given: {} }
    this.open.set(id, call)
    for (const kind of ["mic", "camera", "screen"]) this.#give(call, kind)
    peer.on("signal", (signal) => this.send(id, { call: name, signal }))
    peer.on("track", (_, stream) => {
      call.streams.set(stream.id, stream)
      this.changed(id)
    })
    peer.on("connect", () => this.changed(id))
    peer.on("error", () => {}) // "close" follows
    peer.on("close", () => this.#lost(call))
    return call
  }

  // A track that was given once is replaced, which the other need not be asked about.
  #give(call, kind) {
    const track = this.media.tracks[kind]
    const given = call.given[kind]
    if (!track || track === given) return
    const stream = this.media.streamOf(kind)
    if (given) call.peer.replaceTrack(given, track, stream)
    else call.peer.addTrack(track, stream)
    call.given[kind] = track
  }

  #close(call) {
    if (!call) return
    this.open.delete(call.id)
    call.peer.destroy()
    this.changed(call.id)
  }

  // Ended by the network or by the other. Whoever is still near is called again.
  #lost(call) {
    if (this.open.get(call.id) !== call) return
    this.#close(call)
    setTimeout(() => this.isStillNear?.(call.id) && this.begin(call.id, call.isCaller), RETRY)
  }
}
