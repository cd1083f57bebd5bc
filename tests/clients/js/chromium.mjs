// Headless Chromium: every client is a tab of its own on the page that `backend.mjs` serves.
//
//   node chromium.mjs EXECUTABLE PAGE_URL

import { chromium } from "playwright-core"

import { say, serve } from "./lines.mjs"

const [executablePath, page] = process.argv.slice(2)

const browser = await chromium.launch({
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
  ],
})
const visitor = await browser.newContext() // one person's: its tabs share storage and cache
const tabs = new Map()

const perform = {
  async open_tab(_, name) {
    const tab = await visitor.newPage()
    tabs.set(name, tab)
    await tab.exposeFunction("tell", (heard) => say({ tab: name, ...heard }))
    await tab.goto(page)
  },

  // Waits until the page's list of events shows the text.
  async shown({ text }, name) {
    await tabs.get(name).locator("#events li").filter({ hasText: text }).waitFor()
  },

  // What a script of the page gets for an answer: something only if CORS lets it.
  fetch({ url, request }, name) {
    return tabs.get(name).evaluate(
      async ([url, request]) => {
        const answer = await fetch(url, request)
        return { status: answer.status, body: await answer.text() }
      },
      [url, request],
    )
  },

  // All that a WebSocket of the page is told until it is closed.
  websocket({ url }, name) {
    return tabs.get(name).evaluate(
      (url) =>
        new Promise((resolve) => {
          const messages = []
          const socket = new WebSocket(url)
          socket.onmessage = ({ data }) => messages.push(data)
          socket.onclose = ({ code, reason, wasClean }) =>
            resolve({ messages, code, reason, wasClean })
        }),
      url,
    )
  },

  async close_tab(_, name) {
    await tabs.get(name).close()
    tabs.delete(name)
  },

  // The page's process dies at once and closes nothing behind it.
  async crash_tab(_, name) {
    const tab = tabs.get(name)
    const crashed = tab.waitForEvent("crash")
    const devtools = await visitor.newCDPSession(tab)
    devtools.send("Page.crash").catch(() => {}) // nobody is left to answer
    await crashed
    await perform.close_tab(_, name)
  },
}

serve(
  ({ do: action, tab, ...given }) =>
    perform[action]
      ? perform[action](given, tab)
      : tabs.get(tab).evaluate((command) => window.perform(command), { do: action, ...given }),
  () => browser.close(),
)
