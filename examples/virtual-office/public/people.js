// Everybody in the room, with his avatar on the map and his line in the list.

const FASTEST = 60 // milliseconds in which an avatar glides to where it was said to be
const SLOWEST = 1000
const SPEAKING = 0.02

export class People {
  constructor({ me, map, roll, shares, settings }) {
    Object.assign(this, { me, map, roll, shares, settings })
    this.all = new Map()
  }

  get others() {
    return [...this.all.values()].filter(({ id }) => id !== this.me.id)
  }

  add({ id, name, hue, is_robot: isRobot }) {
    const known = this.all.get(id)
    if (known) return known
    const isMe = id === this.me.id
    const person = { id, name, hue, isRobot, isMe, isNear: false, state: {} }
    person.avatar = avatarOf(person)
    person.video = person.avatar.querySelector("video")
    person.video.muted = isMe
    person.line = lineOf(person)
    this.map.append(person.avatar)
    this.roll.append(person.line)
    this.all.set(id, person)
    this.sort()
    return person
  }

  remove(id) {
    const person = this.all.get(id)
    if (!person) return
    this.all.delete(id)
    person.video.srcObject = null
    person.avatar.remove()
    person.line.remove()
    person.share?.remove()
    this.sort()
  }

  // Yourself first, then people, then robots; of those, the near ones first.
  sort() {
    const rank = (one) => (one.isMe ? 0 : 1 + (one.isNear ? 0 : 1) + (one.isRobot ? 2 : 0))
    const order = [...this.all.values()].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name))
    const is = order.map(({ line }) => line)
    if (is.some((line, at) => this.roll.children[at] !== line)) this.roll.append(...is)
  }

  // Says where somebody is; he glides there in the time between two of his moves.
  place(person, x, y) {
    const now = performance.now()
    const pause = Math.min(SLOWEST, Math.max(FASTEST, now - (person.at ?? now)))
    const isNew = person.x === undefined
    Object.assign(person, { x, y, at: now })
    person.avatar.style.transitionDuration = isNew || person.isMe ? "0ms" : `${pause * 1.2}ms`
    person.avatar.style.transform = `translate(${x}px, ${y}px)`
    person.avatar.hidden = false
    if (person.isMe) for (const other of this.others) this.#fade(other)
    else this.#fade(person)
  }

  distance(person) {
    return Math.hypot(person.x - this.me.x, person.y - this.me.y)
  }

  // People fade in by distance, and so do their voices.
  #fade(person) {
    const { radius } = this.settings
    const far = Math.min(1, Math.max(0, (this.distance(person) - radius * 0.45) / (radius * 0.85)))
    person.avatar.style.setProperty("--far", (person.x === undefined ? 1 : far).toFixed(2))
    person.video.volume = person.isNear ? 1 - 0.9 * far : 0
  }

  setNear(person, isNear) {
    person.isNear = isNear
    person.avatar.classList.toggle("near", isNear)
    person.line.classList.toggle("near", isNear)
    this.#fade(person)
    this.sort()
  }

  // What can be seen of a person: his state as he told it, his streams as they came.
  show(person, streams) {
    const { mic, camera, screen, share } = person.state
    const face = [...streams.values()].find(({ id }) => id !== share) ?? null
    if (person.video.srcObject !== face) person.video.srcObject = face
    const hasPicture = Boolean(camera && face?.getVideoTracks().length)
    person.avatar.classList.toggle("seen", hasPicture)
    for (const [name, is] of Object.entries({ mic, camera, screen })) {
      person.avatar.classList.toggle(name, Boolean(is))
      person.line.classList.toggle(name, Boolean(is))
    }
    this.#share(person, screen ? streams.get(share) : undefined)
  }

  #share(person, stream) {
    if (!stream) {
      person.share?.remove()
      person.share = undefined
    } else if (!person.share) {
      person.share = document.createElement("figure")
      person.share.innerHTML = `<video autoplay playsinline muted></video><figcaption></figcaption>`
      person.share.lastElementChild.textContent = person.isMe ? "Your screen" : `${person.name}’s screen`
      person.share.firstElementChild.srcObject = stream
      person.share.onclick = () => person.share.firstElementChild.requestFullscreen()
      this.shares.append(person.share)
    }
  }

  setLoud(person, loudness) {
    person.avatar.classList.toggle("speaking", Boolean(person.state.mic) && loudness > SPEAKING)
  }
}

const initials = (name) => name.split(/\s+/).map((word) => word[0]).join("").slice(0, 2)

function avatarOf({ name, hue, isRobot, isMe }) {
  const avatar = document.createElement("div")
  avatar.className = `avatar${isRobot ? " robot" : ""}${isMe ? " me" : ""}`
  avatar.style.setProperty("--hue", hue)
  avatar.hidden = true // until he says where he is
  avatar.innerHTML = `<div class="body"><span class="face"></span><video autoplay playsinline></video>
    <i class="badge"><svg><use href="#i-mic"/></svg></i></div><b></b>`
  avatar.querySelector(".face").textContent = initials(name)
  avatar.querySelector("b").textContent = isMe ? "You" : name
  return avatar
}

function lineOf({ name, hue, isRobot, isMe }) {
  const line = document.createElement("li")
  line.style.setProperty("--hue", hue)
  line.innerHTML = `<i></i><span></span><small></small><svg class="mic"><use href="#i-mic"/></svg>
    <svg class="camera"><use href="#i-camera"/></svg><svg class="screen"><use href="#i-screen"/></svg>`
  line.querySelector("span").textContent = name
  line.querySelector("small").textContent = isMe ? "you" : isRobot ? "robot" : ""
  return line
}
