/**
 * A program with a hub inside: it starts one in its own folder, leaves a mark, claims it as any other client would, and ends.
 *
 *     node examples/embedded/main.mjs
 */
import { startHub } from "mound"

const workspace = process.argv[2] ?? new URL("workspace", import.meta.url).pathname
const hub = await startHub({ workspace, port: 0 })
console.log(`a hub runs at ${hub.url}`)

const post = async (path, body) => {
  const response = await fetch(`${hub.url}${path}`, { method: "POST", body: JSON.stringify(body) })
  return response.json()
}
const id = `task-${hub.bootId.slice(0, 8)}`
await post("/claims", { record: { id, stanceTarget: "worker", baseIntensity: 1, decayRate: 0 } })
const { token } = await post("/claims/next", { peer: "me" })
console.log(`${id} is mine under token ${token}`)
await post(`/claims/${id}/complete`, { token, summary: "done" })

const { status, ledger } = await hub.health()
console.log(`health is ${status}, ${ledger.counts.done} done`)
console.log((await hub.stop()) ? "stopped clean" : "cut short")
