// The office's presence channel, entered with stock Laravel Echo: who is here, and whispers.

const WHISPERS = ["move", "state", "signal", "chat", "nearby", "away", "turn"]

export class Room {
  // `heard` has a function for each whisper, called with who said it (the relay tells, so nobody can
  // speak for another; the relay itself is undefined) and its data; `here`, `joining`, `leaving`.
  constructor(echo, name, heard) {
    this.echo = echo
    this.name = name
    this.channel = echo.join(name).here(heard.here).joining(heard.joining).leaving(heard.leaving)
    for (const whisper of WHISPERS)
      this.channel.listenForWhisper(whisper, (data, from) => heard[whisper](from?.user_id, data))
  }

  get rules() {
    return this.name.split(".")[1].split("-")
  }

  has(rule) {
    return this.rules.includes(rule)
  }

  whisper(event, data) {
    this.channel.whisper(event, data)
  }

  leave() {
    this.echo.leave(this.name)
  }
}

export function roomWith(switches, on) {
  return "office." + (switches.filter((rule) => on.includes(rule)).join("-") || "plain")
}
