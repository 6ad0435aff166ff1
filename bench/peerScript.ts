/** A peer as small as can be: it confirms what it gets, and sends as many messages to another as it is told. */
const script = `
const say = (line) => process.stdout.write(JSON.stringify(line) + "\\n")
say({ mound: "ready" })
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  if (line === "") return
  const { type, messageId, body } = JSON.parse(line)
  if (type !== "message") return
  say({ mound: "ack", messageId })
  const [word, to, count] = body.split(" ")
  if (word !== "send") return
  for (let n = 0; n < Number(count); n++) say({ mound: "send", messageId: messageId + "." + n, to, body: "x" })
})`

export const peerArgs: ReadonlyArray<string> = [process.execPath, "-e", script]
