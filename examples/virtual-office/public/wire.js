// What the page's WebSocket carries, counted where it passes: messages, and bytes of whole frames.
// The robots run in a worker with sockets of their own, and are not counted.

const TICK = 250 // milliseconds
const MINUTE = 60_000 / TICK
const WINDOW = 2000 / TICK // what "a second" is averaged over
const text = new TextEncoder()

const none = () => ({ inMessages: 0, inBytes: 0, outMessages: 0, outBytes: 0 })
export const total = none()

// RFC 6455, 5.2: two bytes in front, or four, or ten; a client's frames are masked by four more.
function frameLength(data, mask) {
  const length = typeof data === "string" ? text.encode(data).length : data.byteLength
  return length + mask + (length < 126 ? 2 : length < 65536 ? 4 : 10)
}

window.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given)
    this.addEventListener("message", ({ data }) => {
      total.inMessages++
      total.inBytes += frameLength(data, 0)
    })
  }

  send(data) {
    total.outMessages++
    total.outBytes += frameLength(data, 4)
    super.send(data)
  }
}

// What has passed since then, a second.
export function since(then, milliseconds) {
  const rate = (name) => ((total[name] - then[name]) * 1000) / milliseconds
  return Object.fromEntries(Object.keys(total).map((name) => [name, rate(name)]))
}

export function short(number) {
  if (number >= 100) return String(Math.round(number))
  return number >= 10 ? number.toFixed(1).replace(/\.0$/, "") : number.toFixed(1).replace(/^0\.0$/, "0")
}

const kilobytes = (bytes) => (bytes < 1000 ? [Math.round(bytes), "bytes"] : [short(bytes / 1000), "KB"])

// Shows the figures and the last minute, and goes on doing so.
export function show(element) {
  const graph = element.querySelector("#graph")
  const ticks = Array.from({ length: MINUTE }, none)
  const marks = [] // how many ticks ago the rules were switched
  let last = { ...total }

  const say = (direction, { messages, bytes }) => {
    const [number, unit] = kilobytes(bytes)
    element.querySelector(`#${direction}-messages`).textContent = short(messages)
    element.querySelector(`#${direction}-bytes`).textContent = number
    element.querySelector(`#${direction}-bytes + span`).textContent = unit
  }

  setInterval(() => {
    const now = { ...total }
    const tick = Object.fromEntries(Object.keys(now).map((name) => [name, now[name] - last[name]]))
    last = now
    ticks.push(tick)
    ticks.shift()
    marks.forEach((_, at) => marks[at]++)
    while (marks[0] > MINUTE) marks.shift()
    const sum = (name) =>
      ticks.slice(-WINDOW).reduce((all, one) => all + one[name], 0) / ((WINDOW * TICK) / 1000)
    say("in", { messages: sum("inMessages"), bytes: sum("inBytes") })
    say("out", { messages: sum("outMessages"), bytes: sum("outBytes") })
    graph.innerHTML = drawn(ticks, marks)
  }, TICK)

  return { mark: () => marks.push(0) }
}

function drawn(ticks, marks) {
  const [width, height] = [320, 64]
  const smooth = (name) =>
    ticks.map((_, at) => {
      const some = ticks.slice(Math.max(0, at - 3), at + 1)
      return some.reduce((all, one) => all + one[name], 0) / some.length
    })
  const lines = { in: smooth("inMessages"), out: smooth("outMessages") }
  const top = Math.max(5, ...lines.in, ...lines.out) * 1.1
  const x = (at) => ((at / (ticks.length - 1)) * width).toFixed(1)
  const path = (values) => values.map((value, at) => `${x(at)} ${(height - (value / top) * height).toFixed(1)}`).join("L")
  const rules = marks.map((ago) => `<path class="mark" d="M${x(ticks.length - 1 - ago)} 0V${height}"/>`)
  return (
    rules.join("") +
    `<path class="area" d="M0 ${height}L${path(lines.in)}L${width} ${height}Z"/>` +
    `<path class="in" d="M${path(lines.in)}"/><path class="out" d="M${path(lines.out)}"/>`
  )
}
