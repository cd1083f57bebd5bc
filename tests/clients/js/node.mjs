// A client under Node.

import Pusher from "pusher-js"
import Echo from "laravel-echo"
import Echo1 from "laravel-echo-1"

import { client } from "./client.mjs"
import { say, serve } from "./lines.mjs"

globalThis.window = globalThis // where laravel-echo 2 looks for Pusher, and 1.16 in the global scope

// The build for Node has encryption, as its only one.
const builds = { "pusher-js": Pusher, "pusher-js/with-encryption": Pusher }

serve(client(builds, { "laravel-echo": Echo, "laravel-echo-1": Echo1.default }, say))
