// One JSON object a line: commands come in by stdin, answers and reports go out by stdout.

import { createInterface } from "node:readline"

// Libraries that log to the console must not write between the lines.
console.log = console.info = console.debug = console.error

export function say(message) {
  process.stdout.write(JSON.stringify(message) + "\n")
}

// `perform` gets a command and returns (a promise of) the value of its answer;
// `leave` is called when nobody will send another.
export function serve(perform, leave = () => {}) {
  const lines = createInterface({ input: process.stdin })
  lines.on("line", async (line) => {
    const { id, ...command } = JSON.parse(line)
    try {
      say({ id, value: (await perform(command)) ?? null })
    } catch (error) {
      const { message, status, body } = error
      say({ id, failed: { message, status, body } })
    }
  })
  lines.on("close", async () => {
    await leave()
    process.exit(0)
  })
}
