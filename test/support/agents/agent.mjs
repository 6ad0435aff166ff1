// A peer for tests: one small script whose arguments say how it behaves. It notes what it gets in `<identity>.log`.
import { spawn } from "node:child_process"
import { appendFileSync, existsSync } from "node:fs"
import { createInterface } from "node:readline"

const options = new Set(process.argv.slice(2))
const valueOf = (name) => process.argv.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1)
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const note = (entry) =>
  appendFileSync(`${process.env.PEER_IDENTITY}.log`, `${JSON.stringify({ pid: process.pid, ...entry })}\n`)

note({ started: process.env.MOUND_SESSION_ID, argv: process.argv.slice(2) })
if (options.has("ignore-term")) process.on("SIGTERM", () => {})
if (options.has("interruptible")) process.on("SIGINT", () => note({ interrupted: true }))
if (options.has("grandchild")) {
  const child = spawn("sleep", ["1000"], { stdio: "ignore" })
  note({ grandchild: child.pid })
}
const exit = valueOf("exit")
if (exit !== undefined) process.exit(Number(exit))
const slow = valueOf("ready")
if (slow !== undefined) setTimeout(() => say({ mound: "ready" }), Number(slow))
else if (!options.has("silent")) say({ mound: "ready" })
if (options.has("babble")) process.stdout.write(`${"x".repeat(99)}\n`.repeat(40_000))
if (options.has("spin")) process.stdout.write("|".repeat(3_000_000))

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === "") continue
  const message = JSON.parse(line)
  note({ got: message })
  if (message.type === "compact" && !options.has("cannot-compact")) say({ mound: "compacted" })
  if (message.type !== "message") continue
  if (message.body === "die") process.exit(1)
  if (message.body === "bye") {
    say({ mound: "ack", messageId: message.messageId })
    process.exit(0)
  }
  if (options.has("no-ack") || (options.has("ack-second") && message.attempt < 2)) continue
  const forward = valueOf("forward")
  if (forward !== undefined) {
    say({ mound: "send", messageId: `${message.messageId}-forwarded`, to: forward, body: message.body })
  }
  const sign = valueOf("await-file")
  while (sign !== undefined && !existsSync(sign)) await new Promise((resolve) => setTimeout(resolve, 20))
  if (options.has("reply")) {
    const { messageId, from } = message
    say({
      mound: "send",
      messageId: `${messageId}-reply`,
      to: from.personality,
      body: "yes",
      replyTo: messageId
    })
  } else say({ mound: "ack", messageId: message.messageId })
  if (options.has("done")) say({ mound: "done" })
  if (options.has("leave")) process.exit(0)
}
