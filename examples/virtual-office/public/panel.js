// The panel: a switch for each rule, and what each of them costs or saves, measured.

import { short, since, total } from "./wire.js"

const SETTLE = 1500 // milliseconds
const MEASURE = 8000
const CROWDS = [0, 8, 16, 24]
const ABOUT = {
  newest: ["Newest position only", "A drag costs by the tick, not by the pixel"],
  directed: ["Directed whispers", "Offers and candidates reach one person"],
  snapshot: ["Snapshot on join", "Newcomers see people where they stand"],
  proximity: ["Proximity", "Far away is slow, and the relay starts the calls"],
}

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

export class Panel {
  // `turn(on)` resolves when this page is in the room with these rules; `crowd(count)` has so many
  // robots; `stroll(isOn)` has you walk in a circle.
  constructor(element, { switches, turn, crowd, stroll }) {
    Object.assign(this, { element, switches, turn, crowd, stroll })
    this.on = []
    this.list = element.querySelector("#switches")
    for (const rule of switches) this.list.append(this.#switch(rule))
    for (const count of CROWDS) element.querySelector("#robots").append(this.#choice(count))
    this.button = element.querySelector("#compare")
    this.button.onclick = () => this.#compare()
  }

  show(on) {
    this.on = on
    for (const rule of this.switches) {
      this.list.querySelector(`[data-rule=${rule}]`).setAttribute("aria-checked", on.includes(rule))
    }
  }

  #switch(rule) {
    const [name, meaning] = ABOUT[rule]
    const line = document.createElement("li")
    line.innerHTML = `<button role="switch" aria-checked="false" data-rule="${rule}"><i></i><span><b>${name}</b><small>${meaning}</small></span></button>`
    line.firstChild.onclick = () =>
      this.turn(this.on.includes(rule) ? this.on.filter((one) => one !== rule) : [...this.on, rule])
    return line
  }

  #choice(count) {
    const label = document.createElement("label")
    label.innerHTML = `<input type="radio" name="robots" value="${count}"${count ? "" : " checked"}><span>${count || "none"}</span>`
    label.firstChild.onchange = () => this.crowd(count)
    return label
  }

  // All rules; without each of them; none. Each time everybody joins anew, and that counts, too.
  async #compare() {
    const before = this.on
    const table = this.element.querySelector("#comparison")
    const body = table.querySelector("tbody")
    const without = this.switches.map((rule) => ["without " + rule, this.switches.filter((one) => one !== rule)])
    const found = []
    this.button.disabled = true
    table.hidden = false
    body.replaceChildren()
    this.stroll(true)
    for (const [name, on] of [["all rules", this.switches], ...without, ["plain Pusher", []]]) {
      this.button.textContent = `Measuring ${found.length + 1} of ${without.length + 2} …`
      await this.turn([])
      await wait(SETTLE)
      const then = { ...total }
      const began = performance.now()
      await this.turn(on)
      await wait(MEASURE - (performance.now() - began))
      found.push({ name, ...since(then, performance.now() - began) })
      const top = Math.max(...found.map((one) => one.inMessages))
      body.innerHTML = found.map((one) => row(one, top)).join("")
    }
    this.stroll(false)
    await this.turn(before)
    this.button.disabled = false
    this.button.textContent = "Compare again"
  }
}

function row({ name, inMessages, inBytes }, top) {
  const width = Math.max(1, (inMessages / top) * 100).toFixed(1)
  return `<tr><th>${name}</th><td><i style="width:${width}%"></i></td>
    <td>${short(inMessages)}</td><td>${short(inBytes / 1000)}</td></tr>`
}
