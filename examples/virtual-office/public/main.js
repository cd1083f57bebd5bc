// Puts the office together: who you are, the room you are in, whom you see and hear.

import Echo from "/npm/laravel-echo/dist/echo.js"
import { Calls } from "./calls.js"
import { Media } from "./media.js"
import { Panel } from "./panel.js"
import { People } from "./people.js"
import { Room, roomWith } from "./room.js"
import { HEIGHT, Walking, WIDTH } from "./walking.js"
import { show as showWire } from "./wire.js"

const NOBODY_THERE = 4303 // the relay's answer to a whisper for somebody who is not in the room
const HUES = [28, 75, 145, 200, 255, 310, 350]
const find = (id) => document.getElementById(id)
const json = async (path, body) => (await fetch(path, body && { method: "POST", body: JSON.stringify(body) })).json()

find("plan").innerHTML = await (await fetch("/plan.svg")).text()
const settings = await json("/office.json")
const stage = find("stage")
const wire = showWire(find("wire"))
const me = { id: "visitor-" + crypto.randomUUID().slice(0, 8) }
let iceServers = []
let room, people, echo, crowd, entered

// -- what others say -----------------------------------------------------------------------

const heard = {
  here(members) {
    const there = new Set(members.map(({ id }) => id))
    for (const { id } of people.others) if (!there.has(id)) forget(id)
    for (const member of members) people.add(member)
    sayAll()
    count()
    entered()
  },
  joining(member) {
    people.add(member)
    count()
    if (!room.has("snapshot")) sayAll() // as pages do that have no relay to remember it for them
  },
  leaving({ id }) {
    forget(id)
    count()
  },
  move(from, { x, y }) {
    const person = people.all.get(from)
    if (!person) return
    people.place(person, x, y)
    if (!room.has("proximity")) judge(person)
  },
  state(from, state) {
    const person = people.all.get(from)
    if (!person) return
    person.state = state
    people.show(person, calls.streams(from))
  },
  signal(from, { to, ...signal }) {
    if (to === me.id) calls.hear(from, signal) // without `directed` everybody's come to everybody
  },
  chat(from, { text }) {
    const person = people.all.get(from)
    if (person) say(person, text)
  },
  nearby(_, { user_id: id, caller }) {
    const person = people.all.get(id)
    if (person) meet(person, caller)
  },
  away(_, { user_id: id }) {
    const person = people.all.get(id)
    if (person) part(person)
  },
  turn(_, told) {
    iceServers = told.iceServers
  },
}

// -- who is near ---------------------------------------------------------------------------

function meet(person, caller) {
  people.setNear(person, true)
  if (!person.isRobot) calls.begin(person.id, caller === me.id)
}

function part(person) {
  people.setNear(person, false)
  calls.end(person.id)
}

// Where the relay does not say who is near, each page finds out for itself.
function judge(person) {
  if (person.x === undefined || me.x === undefined) return
  const distance = people.distance(person)
  if (!person.isNear && distance <= settings.radius) meet(person, me.id < person.id ? me.id : person.id)
  else if (person.isNear && distance > settings.radius + settings.hysteresis) part(person)
}

function forget(id) {
  calls.end(id)
  people.remove(id)
}

function count() {
  find("count").textContent = people.all.size
}

// -- what you say --------------------------------------------------------------------------

const walking = new Walking(stage, find("world"), (x, y) => {
  Object.assign(me, { x, y })
  find("hearing").style.transform = `translate(${x}px, ${y}px)`
  const mine = people.all.get(me.id)
  if (mine) people.place(mine, x, y)
  room?.whisper("move", { x, y })
  if (room && !room.has("proximity")) people.others.forEach(judge)
})
walking.look()

const media = new Media((kind) => {
  calls.give(kind)
  find(kind).setAttribute("aria-pressed", media.isOn(kind))
  sayState()
})

const calls = new Calls({
  media,
  iceServers: () => iceServers,
  send: (to, signal) => room.whisper("signal", { to, ...signal }),
  changed(id) {
    const person = people.all.get(id)
    if (person) people.show(person, calls.streams(id))
  },
})
calls.isStillNear = (id) => people.all.get(id)?.isNear

function sayState() {
  const mine = people.all.get(me.id)
  if (!mine) return
  mine.state = media.state
  people.show(mine, new Map([media.face, media.share].map((stream) => [stream.id, stream])))
  room.whisper("state", media.state)
}

function sayAll() {
  people.place(people.all.get(me.id), me.x, me.y)
  room.whisper("move", { x: me.x, y: me.y })
  sayState()
}

function say(person, text) {
  const lines = find("lines")
  const line = document.createElement("li")
  line.style.setProperty("--hue", person.hue)
  line.innerHTML = "<b></b> <span></span>"
  line.firstChild.textContent = person.name
  line.lastChild.textContent = text
  lines.append(line)
  if (lines.children.length > 200) lines.firstChild.remove()
  lines.scrollTop = lines.scrollHeight
}

find("say").onsubmit = (event) => {
  event.preventDefault()
  const { text } = event.target.elements
  if (!text.value.trim() || !room) return
  room.whisper("chat", { text: text.value })
  say(people.all.get(me.id), text.value)
  text.value = ""
}

for (const kind of ["mic", "camera", "screen"]) {
  find(kind).onclick = () => media.toggle(kind).catch((error) => toast(error.message))
}

function toast(text) {
  const note = find("toast")
  note.textContent = text
  note.hidden = false
  clearTimeout(note.timer)
  note.timer = setTimeout(() => (note.hidden = true), 5000)
}

// -- the room, and its rules ---------------------------------------------------------------

// Resolves when you are in the room that has these rules.
async function enter(on) {
  const name = roomWith(settings.switches, on)
  panel.show(on)
  if (room?.name === name) return
  if (room) {
    calls.endAll()
    for (const { id } of people.others) people.remove(id)
    room.leave()
  }
  wire.mark()
  const isIn = new Promise((resolve) => (entered = resolve))
  room = new Room(echo, name, heard)
  tellCrowd()
  await isIn
}

// The rules may have been switched while there was no connection.
async function catchUp() {
  await enter((await json("/office.json")).on)
}

// Everybody is told by the backend, this page like the others.
function turn(on) {
  const isIn = new Promise((resolve) => (whenSwitched = resolve))
  json("/switches", { on, by: me.name }).catch((error) => toast(error.message))
  return isIn
}
let whenSwitched = () => {}

async function switched({ on, by }) {
  const before = panel.on
  await enter(on)
  whenSwitched()
  const changed = settings.switches.filter((rule) => on.includes(rule) !== before.includes(rule))
  if (changed.length && by !== me.name) toast(`${by} switched ${changed.join(", ")}`)
}

function tellCrowd() {
  crowd?.worker.postMessage({ settings, room: room.name, count: crowd.count })
}

let strolling
let stopStrolling
function stroll(isOn) {
  if (!isOn) return stopStrolling()
  const { x, y } = me
  stopStrolling = () => {
    cancelAnimationFrame(strolling)
    walking.to(x, y)
  }
  const began = performance.now()
  const step = (now) => {
    const turns = (now - began) / 1500
    walking.to(x + Math.sin(turns) * 60, y + (1 - Math.cos(turns)) * 60)
    strolling = requestAnimationFrame(step)
  }
  strolling = requestAnimationFrame(step)
}

const panel = new Panel(find("wire"), {
  switches: settings.switches,
  turn,
  stroll,
  crowd(count) {
    crowd ??= { worker: new Worker("/crowd.js") }
    crowd.count = count
    tellCrowd()
  },
})
panel.show(settings.on)

// -- coming in -----------------------------------------------------------------------------

Object.assign(settings, { host: location.hostname, isSecure: location.protocol === "https:" })

function connect() {
  echo = new Echo({
    broadcaster: "pusher",
    key: settings.key,
    cluster: "mt1",
    wsHost: settings.host,
    wsPort: settings.port,
    wssPort: settings.port,
    forceTLS: settings.isSecure,
    enabledTransports: ["ws", "wss"],
    disableStats: true,
    authEndpoint: "/broadcasting/auth",
    auth: { params: { user_id: me.id, name: me.name, hue: me.hue } },
  })
  const { connection } = echo.connector.pusher
  connection.bind("state_change", ({ current }) => {
    find("connection").dataset.state = current
    find("connection").textContent = current === "connected" ? `${settings.host}:${settings.port}` : current
    if (current === "connected" && room) catchUp()
  })
  connection.bind("error", ({ data }) => {
    if (data?.code === NOBODY_THERE) calls.end(data.to)
  })
  echo.channel("office").listen(".switched", switched)
}

async function comeIn(name, hue) {
  Object.assign(me, { name, hue })
  people = new People({ me, map: find("people"), roll: find("roll"), shares: find("shares"), settings })
  const mine = people.add(me)
  const asked = new URLSearchParams(location.search)
  const [x, y] = [asked.get("x") ?? WIDTH * (0.3 + Math.random() * 0.4), asked.get("y") ?? HEIGHT * 0.49]
  walking.start(mine.avatar, Number(x), Number(y))
  find("hearing").hidden = find("toolbar").hidden = false
  find("hearing").style.setProperty("--radius", settings.radius + "px")
  iceServers = (await json(`/ice?user_id=${me.id}`)).iceServers
  connect()
  await catchUp()
  document.body.classList.add("inside")
}

const door = find("door")
const { name } = door.querySelector("form").elements
name.value = new URLSearchParams(location.search).get("name") ?? localStorage.getItem("name") ?? ""
const usual = Number(localStorage.getItem("hue") ?? HUES[Math.floor(Math.random() * HUES.length)])
find("hues").append(
  ...HUES.map((hue) => {
    const label = document.createElement("label")
    label.style.setProperty("--hue", hue)
    label.innerHTML = `<input type="radio" name="hue" value="${hue}" aria-label="hue ${hue}"${hue === usual ? " checked" : ""}><i></i>`
    return label
  }),
)
door.oncancel = (event) => event.preventDefault()
door.onclose = () => {
  const hue = Number(door.querySelector("[name=hue]:checked")?.value ?? usual)
  localStorage.setItem("name", name.value)
  localStorage.setItem("hue", hue)
  stage.focus({ preventScroll: true })
  comeIn(name.value.trim() || "Somebody", hue)
}
door.showModal()

setInterval(() => people?.others.forEach((one) => one.isNear && people.setLoud(one, calls.loudness(one.id))), 150)

// What a test, or somebody at the console, may look at.
window.office = { me, calls, media, walking, panel, turn, people: () => people, room: () => room }
