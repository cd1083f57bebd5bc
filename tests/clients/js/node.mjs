// A client under Node.

import Pusher from "pusher-js"
import Echo from "laravel-echo"
import Echo1 from "laravel-echo-1"

import { client } from "./client.mjs"
import { say, serve } from "./lines.mjs"

// Where laravel-echo looks for it: 1.16 in the global scope, 2 in the window.
globalThis.Pusher = Pusher
globalThis.window = { Pusher }

serve(client(Pusher, { "laravel-echo": Echo, "laravel-echo-1": Echo1.default }, say))
