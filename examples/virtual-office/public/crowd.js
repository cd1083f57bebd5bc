// Robots that walk about, so that one visitor alone can see what a full office costs. Each is a
// client of its own, of stock pusher-js, in this worker; none of its traffic is the page's.
//
// They are told {settings, room, count} and need not answer.

importScripts("/npm/pusher-js/dist/worker/pusher.worker.min.js")

const NAMES = [
  "Ada", "Grace", "Alan", "Hedy", "Edsger", "Radia", "Donald", "Katherine", "Tim", "Barbara", "Ken", "Frances",
  "Dennis", "Margaret", "Vint", "Adele", "Niklaus", "Joan", "Claude", "Karen", "Leslie", "Anita", "Linus", "Shafi",
]
const PLACES = [
  [150, 190], [290, 200], [500, 190], [420, 290], [620, 500], [240, 540], [810, 250], [700, 210], [920, 330],
  [1060, 240], [1200, 240], [1250, 330], [1060, 370], [1390, 540], [1120, 540], [880, 530], [240, 740], [340, 950],
  [200, 920], [130, 780], [660, 800], [790, 930], [520, 870], [930, 850], [720, 690], [1060, 800], [1200, 900],
  [1390, 710], [1390, 850], [1390, 990],
]
const STEPS = 25 // a second
const SPEED = 130 // of the plan's units a second
const OFFER = "v=0 o=- 4611731400430051336 2 IN IP4 127.0.0.1 s=- t=0 0 a=group:BUNDLE 0 1 ".repeat(40) // 3 KB
const CANDIDATE = "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 0.0.0.0 rport 0"

const random = (list) => list[Math.floor(Math.random() * list.length)]
const near = ([x, y], way) => [x + (Math.random() - 0.5) * way, y + (Math.random() - 0.5) * way]

class Robot {
  constructor(number, settings) {
    this.id = `robot-${number}-${Math.random().toString(36).slice(2, 8)}`
    ;[this.x, this.y] = near(PLACES[(number * 7) % PLACES.length], 60)
    this.rest = Math.random() * 2
    this.callees = new Set()
    const params = { user_id: this.id, name: NAMES[number % NAMES.length], hue: (number * 47) % 360, robot: "yes" }
    this.pusher = new Pusher(settings.key, {
      cluster: "none", wsHost: settings.host, wsPort: settings.port, wssPort: settings.port,
      forceTLS: settings.isSecure, enabledTransports: ["ws", "wss"], disableStats: true,
      authEndpoint: "/broadcasting/auth", auth: { params },
    })
  }

  enter(room, hasSnapshot) {
    if (this.channel) this.pusher.unsubscribe(this.channel.name)
    this.channel = this.pusher.subscribe("presence-" + room)
    this.channel.bind("pusher:subscription_succeeded", () => this.tell())
    if (!hasSnapshot) this.channel.bind("pusher:member_added", () => this.tell())
    this.callees.clear()
  }

  whisper(event, data) {
    if (this.channel?.subscribed) this.channel.trigger("client-" + event, data)
  }

  tell() {
    this.whisper("move", { x: Math.round(this.x), y: Math.round(this.y) })
  }

  step(seconds) {
    if ((this.rest -= seconds) > 0) return
    this.goal ??= near(random(PLACES), 70)
    const [dx, dy] = [this.goal[0] - this.x, this.goal[1] - this.y]
    const [left, way] = [Math.hypot(dx, dy), seconds * SPEED]
    if (left <= way) {
      this.goal = null
      this.rest = 0.5 + Math.random() * 2.5
    } else {
      this.x += (dx / left) * way
      this.y += (dy / left) * way
      this.tell()
    }
  }

  // What two browsers say to each other at the start of a call, by length.
  meet(other) {
    this.whisper("signal", { to: other.id, call: "robots", signal: { type: "offer", sdp: OFFER } })
    other.whisper("signal", { to: this.id, call: "robots", signal: { type: "answer", sdp: OFFER } })
    for (const [one, to] of [[this, other], [other, this]])
      for (let count = 0; count < 4; count++)
        one.whisper("signal", { to: to.id, call: "robots", signal: { type: "candidate", candidate: CANDIDATE } })
  }
}

const robots = []
let room, settings

onmessage = ({ data }) => {
  settings = data.settings
  const hasMoved = room !== data.room
  room = data.room
  const hasSnapshot = room.includes("snapshot")
  while (robots.length > data.count) robots.pop().pusher.disconnect()
  if (hasMoved) for (const robot of robots) robot.enter(room, hasSnapshot)
  while (robots.length < data.count) {
    robots.push(new Robot(robots.length, settings))
    robots.at(-1).enter(room, hasSnapshot)
  }
}

let last = performance.now()
setInterval(() => {
  const now = performance.now()
  for (const robot of robots) robot.step(Math.min(0.2, (now - last) / 1000))
  last = now
  robots.forEach((one, at) => {
    for (const other of robots.slice(at + 1)) {
      const distance = Math.hypot(one.x - other.x, one.y - other.y)
      if (distance > settings.radius + settings.hysteresis) one.callees.delete(other)
      else if (distance <= settings.radius && !one.callees.has(other)) {
        one.callees.add(other)
        one.meet(other)
      }
    }
  })
}, 1000 / STEPS)
