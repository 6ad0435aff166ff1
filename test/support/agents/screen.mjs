// A program with a screen, for tests: it may ask questions first, shows a prompt, takes pastes, and writes down what it was told.
import { appendFileSync } from "node:fs"

const options = new Set(process.argv.slice(2))
const valueOf = (name) => process.argv.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1)
const note = (entry) =>
  appendFileSync(`${process.env.PEER_IDENTITY}.log`, `${JSON.stringify({ pid: process.pid, ...entry })}\n`)
const draw = (text) => process.stdout.write(`\x1b[2J\x1b[H${text}`)

note({ started: process.env.MOUND_SESSION_ID, argv: process.argv.slice(2), cwd: process.cwd() })
const exit = valueOf("exit")
if (exit !== undefined) process.exit(Number(exit))
process.stdin.setRawMode(true).setEncoding("utf8")
process.stdout.write("\x1b[?2004h")

const dialogs = [
  ...(options.has("trust")
    ? [{ text: "Do you trust the files in this folder?", choices: ["Yes", "No"], wanted: 0 }]
    : []),
  ...(options.has("bypass")
    ? [
        {
          text: "WARNING: running in Bypass Permissions mode",
          choices: ["No, exit", "Yes, I accept"],
          wanted: 1
        }
      ]
    : [])
]
let chosen = 0
const show = () => {
  const [dialog] = dialogs
  if (!dialog) return options.has("blank") ? draw("") : draw("ready\r\n❯ ")
  draw(
    [dialog.text, ...dialog.choices.map((each, n) => `${n === chosen ? "❯" : " "} ${n + 1}. ${each}`)].join(
      "\r\n"
    )
  )
}
show()

let typed = ""
let isPasting = false
let swallowed = Number(valueOf("swallow") ?? 0)

const submit = () => {
  if (swallowed-- > 0) return note({ swallowed: true })
  note({ got: { type: "message", body: typed } })
  const transcript = valueOf("transcript")
  if (transcript !== undefined)
    appendFileSync(transcript, `${JSON.stringify({ role: "user", text: typed })}\n`)
  if (typed.includes("leave now")) process.exit(3)
  if (typed === "/compact" && transcript !== undefined) {
    appendFileSync(transcript, `${JSON.stringify({ subtype: "compact_boundary" })}\n`)
  }
  typed = ""
  show()
}

const press = (key) => {
  const [dialog] = dialogs
  if (!dialog) {
    if (key === "\r") submit()
    else if (key === "\x1b") note({ pressed: "Escape" })
    else typed += key
    return
  }
  if (key === "\x1b[B") chosen = Math.min(chosen + 1, dialog.choices.length - 1)
  if (key === "\r") {
    note({ answered: dialog.choices[chosen] })
    if (chosen !== dialog.wanted) process.exit(1)
    dialogs.shift()
    chosen = 0
  }
  show()
}

let pending = ""
process.stdin.on("data", (data) => {
  pending += data
  while (pending !== "") {
    if (isPasting) {
      const end = pending.indexOf("\x1b[201~")
      typed += end < 0 ? pending : pending.slice(0, end)
      pending = end < 0 ? "" : pending.slice(end + 6)
      if (end >= 0) {
        isPasting = false
        note({ pasted: true })
      }
    } else if (pending.startsWith("\x1b[200~")) {
      isPasting = true
      pending = pending.slice(6)
    } else {
      const key = /^(\x1b\[[A-Z]|[\s\S])/.exec(pending)[0]
      pending = pending.slice(key.length)
      press(key)
    }
  }
})
