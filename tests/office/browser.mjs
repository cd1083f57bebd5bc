// One headless Chromium of its own, with a camera and a microphone that Chromium makes up: the
// camera shows a pattern that moves, the microphone beeps.
//
//   node browser.mjs EXECUTABLE FOLDER_WITH_PLAYWRIGHT

import { createRequire } from "node:module"

import { serve } from "../clients/js/lines.mjs"

const [executablePath, folder] = process.argv.slice(2)
const { chromium } = createRequire(folder + "/")("playwright-core")

const running = await chromium.launchServer({
  executablePath,
  args: [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--auto-select-desktop-capture-source=Entire screen",
    "--allow-loopback-in-peer-connection",
  ],
})
const browser = await chromium.connect(running.wsEndpoint())
let page

// What is evaluated in the page: the office's own parts, and what the tests ask of them.
function helpers() {
  window.someone = (name) => [...office.people().all.values()].find((one) => one.name === name)
  window.connection = (name) => office.calls.open.get(someone(name)?.id)?.peer._pc
  window.received = async (name) => {
    const sum = { frames: 0, energy: 0 }
    for (const stats of (await connection(name)?.getStats())?.values() ?? []) {
      if (stats.type !== "inbound-rtp") continue
      sum.frames += stats.framesDecoded ?? 0
      sum.energy += stats.totalAudioEnergy ?? 0
    }
    return sum
  }
}

const perform = {
  async visit({ url }) {
    const visitor = await browser.newContext({ viewport: { width: 1280, height: 800 } })
    page = await visitor.newPage()
    page.errors = []
    page.on("pageerror", ({ message }) => page.errors.push(message))
    await page.addInitScript(helpers)
    await page.goto(url)
    await page.click("#enter")
    await page.waitForSelector("body.inside")
  },

  click: ({ selector }) => page.click(selector),
  type: ({ selector, text }) => page.fill(selector, text).then(() => page.press(selector, "Enter")),
  evaluate: ({ script }) => page.evaluate(script),

  // Whether it became true within some seconds. Not by waitForFunction, to which the promise of
  // something false is true (Playwright 1.60).
  async becomes({ script, seconds }) {
    const ends = Date.now() + seconds * 1000
    while (!(await page.evaluate(script))) {
      if (Date.now() > ends) return false
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    return true
  },

  // Drags one's own avatar with the mouse, by so many units of the plan.
  async drag({ x, y }) {
    const { left, top, zoom } = await page.evaluate(() => {
      const { left, top } = document.querySelector(".avatar.me").getBoundingClientRect()
      return { left, top, zoom: office.walking.zoom }
    })
    await page.mouse.move(left, top)
    await page.mouse.down()
    await page.mouse.move(left + x * zoom, top + y * zoom, { steps: 30 })
    await page.mouse.up()
  },

  async hold({ key, milliseconds }) {
    await page.focus("#stage")
    await page.keyboard.press(key, { delay: milliseconds })
  },

  async leave() {
    const { errors } = page
    await page.context().close()
    page = undefined
    return errors
  },

  // SIGKILL for all of the browser's processes: nothing is closed behind it.
  crash: () => running.kill(),
}

serve(
  ({ do: action, ...given }) => perform[action](given),
  () => running.close(),
)
