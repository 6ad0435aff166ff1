/**
 * Kills a hub again and again at moments that nobody chose, while clients work on it, and holds what is left against what they were
 * told. Shared by the suite (few cycles) and `scripts/killCycles.ts` (many).
 */
import { Agent } from "node:http"
import { join } from "node:path"
import { spawnHub } from "./hubProcess.js"
import { LedgerAudit } from "./LedgerAudit.js"
import { LedgerClient, post } from "./LedgerClient.js"
import { Random } from "./Random.js"

export interface KillCyclesOptions {
  readonly workspace: string
  readonly cycles: number
  readonly clients: number
  readonly seed: number
  /** The longest that clients work before the kill. */
  readonly longestWorkMs: number
  readonly onCycle?: (cycle: number, result: KillCyclesResult) => void
}

export interface KillCyclesResult {
  readonly faults: ReadonlyArray<string>
  readonly events: number
  /** Commands that were acknowledged, and those that had no answer when the hub was killed. */
  readonly acknowledged: number
  readonly inDoubt: number
  /** Boots that were killed before they were ready. */
  readonly killedAtStart: number
  readonly losses: number
}

/** The longest that a start is left alone before it is killed, ms. */
const longestStartMs = 600

export const runKillCycles = async (options: KillCyclesOptions): Promise<KillCyclesResult> => {
  const { workspace, cycles, seed, onCycle } = options
  const random = new Random(seed)
  const clients = Array.from(
    { length: options.clients },
    (_, n) => new LedgerClient(`peer${n}`, random.split())
  )
  const audit = new LedgerAudit()
  let inDoubt = 0
  let killedAtStart = 0
  const result = (): KillCyclesResult => ({
    faults: audit.faults,
    events: audit.events,
    acknowledged: clients.flatMap(({ sent }) => sent).filter(({ answer }) => answer && answer.status < 300)
      .length,
    inDoubt,
    killedAtStart,
    losses: audit.losses
  })
  let hub = spawnHub(workspace, { flags: ["--quiet"] })
  for (let cycle = 1; cycle <= cycles; cycle++) {
    const url = await hub.url()
    let isOver = false
    const working = clients.map((client) => client.work(url, () => isOver))
    // A rebuild may be under way when the end comes.
    const rebuilding = rebuild(url, random.chance(0.5) ? "claims" : "health")
    await wait(random.below(options.longestWorkMs))
    await hub.kill()
    isOver = true
    await Promise.all([...working, rebuilding])
    inDoubt += clients.flatMap(({ sent }) => sent).filter(({ answer }) => !answer).length

    hub = spawnHub(workspace, { flags: ["--quiet"] })
    if (random.chance(0.2)) {
      await wait(random.below(longestStartMs))
      await hub.kill()
      killedAtStart += 1
      hub = spawnHub(workspace, { flags: ["--quiet"] })
    }
    // The next hub takes over what is left, and tells every client what became of its last command.
    const nextUrl = await hub.url()
    await Promise.all(clients.map((client) => client.settle(nextUrl)))
    const open = clients.flatMap(({ sent }) => sent).filter(({ answer }) => !answer)
    for (const { commandId } of open) audit.faults.push(`${commandId} never got an answer`)
    await audit.check(join(workspace, ".mound/mound.db"), clients)
    onCycle?.(cycle, result())
    if (audit.faults.length > 0) break
  }
  await hub.stop()
  return result()
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const rebuild = async (url: string, projection: string): Promise<void> => {
  const agent = new Agent()
  await post(agent, `${url}/projections/${projection}/rebuild`, `rebuild-${url}`, {}).catch(() => {})
  agent.destroy()
}
