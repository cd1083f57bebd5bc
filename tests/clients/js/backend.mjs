// A web application made with npm's `pusher`: it authorises clients, serves their page and publishes.
//
// Over HTTP, on a free port of loopback (`port` tells which):
//   POST /pusher/auth and /broadcasting/auth: ?user=ID&name=NAME says who asks, ?as=SIGNER who signs;
//   a channel with "forbidden" in its name is denied, as a Laravel channel callback would.
// By commands: what `perform` has.

import { readFile } from "node:fs/promises"
import { createServer } from "node:http"
import { extname, join } from "node:path"
import { fileURLToPath } from "node:url"

import Pusher from "pusher"

import { serve } from "./lines.mjs"

const home = fileURLToPath(new URL("..", import.meta.url))
const types = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript" }
const open = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Headers": "Content-Type, X-Requested-With",
}

const signers = new Map() // by name: one Pusher for each set of credentials

function authorize(query, form) {
  const channel = form.get("channel_name")
  if (channel.includes("forbidden")) return [403, "Forbidden"]
  const person = { user_id: query.get("user"), user_info: { name: query.get("name") } }
  const signer = signers.get(query.get("as"))
  const signed = signer.authorizeChannel(
    form.get("socket_id"),
    channel,
    channel.startsWith("presence-") ? person : undefined,
  )
  return [200, JSON.stringify(signed), "application/json"]
}

async function answer(request) {
  const { pathname, searchParams } = new URL(request.url, "http://backend")
  if (request.method === "OPTIONS") return [204, ""]
  if (request.method === "POST" && ["/pusher/auth", "/broadcasting/auth"].includes(pathname)) {
    let form = ""
    for await (const piece of request.setEncoding("utf8")) form += piece
    return authorize(searchParams, new URLSearchParams(form))
  }
  const file = pathname === "/" ? "/js/page.html" : pathname
  return [200, await readFile(join(home, file)), types[extname(file)]]
}

const site = createServer(async (request, response) => {
  const [status, body, type] = await answer(request).catch((error) => [500, String(error)])
  response.writeHead(status, { ...open, "Content-Type": `${type ?? "text/plain"}; charset=utf-8` })
  response.end(body)
})
await new Promise((listening) => site.listen(0, "127.0.0.1", listening))

async function json(answer) {
  return JSON.parse(await (await answer).text())
}

const perform = {
  port: () => site.address().port,

  sign_as: ({ options }, _, name) => void signers.set(name, new Pusher(options)),

  trigger: ({ channels, event, data, params }, pusher) =>
    json(pusher.trigger(channels, event, data, params)),

  // A signed request of any content, which the library's own methods would refuse to send.
  post: ({ path, body }, pusher) => json(pusher.post({ path, body })),

  // The query string with which `body` may be posted to `path` by anyone.
  signed_query: ({ path, body }, pusher) =>
    pusher.createSignedQueryString({ method: "POST", path, body }),
}

serve(({ do: action, as, ...given }) => perform[action](given, signers.get(as), as))
