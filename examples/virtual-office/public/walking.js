// How you walk: by dragging yourself, by keys, or by a click on where to go. Every step is told, as
// often as the screen is drawn; whether all of that leaves the relay is the room's rules' to say.

const SPEED = 300 // of the plan's units a second
const KEYS = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
  KeyA: [-1, 0], KeyD: [1, 0], KeyW: [0, -1], KeyS: [0, 1],
}
export const WIDTH = 1500
export const HEIGHT = 1100
const EDGE = 50
const LEAST_ZOOM = 0.55
const TOOLBAR = 70 // pixels

const inside = (x, y) => [
  Math.round(Math.min(WIDTH - EDGE, Math.max(EDGE, x))),
  Math.round(Math.min(HEIGHT - EDGE, Math.max(EDGE, y))),
]

export class Walking {
  constructor(stage, world, moved) {
    this.stage = stage
    this.world = world
    this.moved = moved // (x, y)
    this.held = new Set()
    this.zoom = 1
    addEventListener("resize", () => this.look())
  }

  start(avatar, x, y) {
    this.to(x, y)
    this.avatar = avatar
    this.stage.addEventListener("keydown", (event) => this.#press(event))
    addEventListener("keyup", ({ code }) => this.held.delete(code))
    addEventListener("blur", () => this.held.clear())
    this.stage.addEventListener("pointerdown", (event) => this.#grab(event))
    avatar.addEventListener("pointermove", (event) => {
      if (avatar.hasPointerCapture(event.pointerId)) this.to(...this.#at(event))
    })
    avatar.addEventListener("lostpointercapture", () => avatar.classList.remove("held"))
  }

  to(x, y) {
    ;[this.x, this.y] = inside(x, y)
    this.moved(this.x, this.y)
    this.look()
  }

  // Shows the whole plan; on a small screen a part of it, around you.
  look() {
    const { clientWidth: width } = this.stage
    const height = this.stage.clientHeight - TOOLBAR
    const all = Math.min(width / (WIDTH + 60), height / (HEIGHT + 20))
    this.zoom = Math.max(all, LEAST_ZOOM)
    const along = (room, size, at) =>
      size * this.zoom <= room ? (room - size * this.zoom) / 2
        : Math.min(20, Math.max(room - size * this.zoom - 20, room / 2 - at * this.zoom))
    const left = along(width, WIDTH, this.x ?? WIDTH / 2)
    const top = along(height, HEIGHT, this.y ?? HEIGHT / 2)
    this.world.style.transform = `translate(${left}px, ${top}px) scale(${this.zoom})`
    this.world.style.setProperty("--inverse", 1 / Math.max(this.zoom, 0.8))
  }

  #at({ clientX, clientY }) {
    const { left, top } = this.world.getBoundingClientRect()
    return [(clientX - left) / this.zoom, (clientY - top) / this.zoom]
  }

  #grab(event) {
    if (event.button || event.target.closest("button, figure")) return
    this.stage.focus({ preventScroll: true })
    if (this.avatar.contains(event.target)) {
      this.goal = null
      this.avatar.setPointerCapture(event.pointerId)
      this.avatar.classList.add("held")
    } else {
      this.goal = inside(...this.#at(event))
      this.#go()
    }
  }

  #press(event) {
    if (!KEYS[event.code] || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    this.held.add(event.code)
    this.goal = null
    this.#go()
  }

  // Steps until no key is held and the goal is reached.
  #go() {
    if (this.isGoing) return
    this.isGoing = true
    let last = performance.now()
    const step = (now) => {
      const way = (Math.min(100, Math.max(0, now - last)) / 1000) * SPEED
      last = now
      const [dx, dy] = this.#direction(way)
      if (dx || dy) this.to(this.x + dx, this.y + dy)
      this.isGoing = this.held.size > 0 || Boolean(this.goal)
      if (this.isGoing) requestAnimationFrame(step)
    }
    requestAnimationFrame(step)
  }

  #direction(way) {
    if (this.goal) {
      const [dx, dy] = [this.goal[0] - this.x, this.goal[1] - this.y]
      const left = Math.hypot(dx, dy)
      if (left > way) return [(dx / left) * way, (dy / left) * way]
      this.goal = null
      return [dx, dy]
    }
    const [x, y] = [...this.held].reduce(([x, y], code) => [x + KEYS[code][0], y + KEYS[code][1]], [0, 0])
    const length = Math.hypot(x, y) || 1
    return [(x / length) * way, (y / length) * way]
  }
}
