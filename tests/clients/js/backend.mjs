// A web application made with npm's `pusher`: it authorises clients, serves their page and publishes.
//
// Over HTTP, on a free port of loopback (`port` tells which):
//   POST …/auth (a channel) and …/user-auth (a sign-in), below /pusher and /broadcasting:
//   ?user=ID&name=NAME&watching=IDS says who asks, ?as=SIGNER who signs. A channel with "forbidden"
//   in its name is denied, as a Laravel channel callback would; a presence channel is signed
//   without a member if there is no user.
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
  const isMember = channel.startsWith("presence-") && person.user_id
  const signer = signers.get(query.get("as"))
  const signed = signer.authorizeChannel(form.get("socket_id"), channel, isMember ? person : undefined)
  return [200, JSON.stringify(signed), "application/json"]
}

function authenticate(query, form) {
  const person = {
    id: query.get("user"),
    user_info: { name: query.get("name") },
    watchlist: query.get("watching").split(",").filter(Boolean),
  }
  const signed = signers.get(query.get("as")).authenticateUser(form.get("socket_id"), person)
  return [200, JSON.stringify(signed), "application/json"]
}

const endpoints = {
  "/pusher/auth": authorize,
  "/broadcasting/auth": authorize,
  "/pusher/user-auth": authenticate,
  "/broadcasting/user-auth": authenticate,
}

async function answer(request) {
  const { pathname, searchParams } = new URL(request.url, "http://backend")
  if (request.method === "OPTIONS") return [204, ""]
  if (request.method === "POST") {
    let form = ""
    for await (const piece of request.setEncoding("utf8")) form += piece
    return endpoints[pathname](searchParams, new URLSearchParams(form))
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

  trigger_batch: ({ batch }, pusher) => json(pusher.triggerBatch(batch)),

  send_to_user: ({ user, event, data }, pusher) => json(pusher.sendToUser(user, event, data)),

  terminate: ({ user }, pusher) => json(pusher.terminateUserConnections(user)),

  get: ({ path, params }, pusher) => json(pusher.get({ path, params })),

  // A signed request of any content, which the library's own methods would refuse to send.
  post: ({ path, body }, pusher) => json(pusher.post({ path, body })),

  // The query string with which `body` may be sent to `path` by anyone.
  signed_query: ({ method, path, body }, pusher) =>
    pusher.createSignedQueryString({ method, path, body }),
}

serve(({ do: action, as, ...given }) => perform[action](given, signers.get(as), as))
