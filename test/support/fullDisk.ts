/** What must hold while a hub's disk is full, and when it has space again. Shared by the suite and `scripts/fullDisk.ts`. */
import { Agent, request } from "node:http"
import { LedgerAudit } from "./LedgerAudit.js"
import { type Answer, LedgerClient, post } from "./LedgerClient.js"
import { Random } from "./Random.js"

export interface FullDiskOptions {
  readonly url: string
  /** The hub's database. */
  readonly path: string
  /** Leaves no room on the disk. */
  readonly fill: () => void
  /** Gives it room again. */
  readonly free: () => void
}

/** Marks of a size that a full disk cannot hide in what is left of a page. */
const padding = "x".repeat(20_000)
/** Marks after which a disk that was filled must have refused one. */
const mostMarks = 2_000
const againMs = 100
const longestMs = 20_000

/** Goes through it and says what was wrong, or nothing. */
export const runFullDisk = async ({ url, path, fill, free }: FullDiskOptions): Promise<Array<string>> => {
  const agent = new Agent({ keepAlive: true })
  const faults: Array<string> = []
  const check = (isRight: boolean, fault: string) => {
    if (!isRight) faults.push(fault)
  }
  const publish = (name: string): Promise<Answer> => {
    const record = { id: name, stanceTarget: "any", baseIntensity: 1, decayRate: 0, padding }
    return post(agent, `${url}/claims`, name, { record })
  }
  const random = new Random(1)
  const clients = Array.from({ length: 4 }, (_, n) => new LedgerClient(`peer${n}`, random.split()))
  let isOver = false
  const working = clients.map((client) => client.work(url, () => isOver))
  await publish("before")

  fill()
  let refused: string | undefined
  const acknowledged: Array<string> = []
  for (let n = 0; n < mostMarks && refused === undefined; n++) {
    const { status, body } = await publish(`filling${n}`)
    if (status === 201) acknowledged.push(`filling${n}`)
    else {
      refused = `filling${n}`
      check(status === 503 && body._tag === "ReadOnly", `refused with ${status} ${JSON.stringify(body)}`)
      check(body.reason === "enospc", `refused for ${body.reason}`)
      check(/free some disk space/.test(String(body.fix)), `the fix says ${body.fix}`)
    }
  }
  check(refused !== undefined, "nothing was refused on a full disk")

  // Reads go on, and health and readiness say what is the matter.
  check((await read(agent, `${url}/claims/before`)).status === 200, "a claim could not be read")
  check((await read(agent, `${url}/journal?limit=10`)).status === 200, "the journal could not be read")
  const health = await until(
    () => read(agent, `${url}/health`),
    ({ text }) => /"write_refused"/.test(text) && /"failing"/.test(text)
  )
  check(health.status === 200, `health answered ${health.status}: ${health.text}`)
  const ready = await until(
    () => read(agent, `${url}/readyz`),
    ({ status }) => status === 503
  )
  check(ready.status === 503, `/readyz answered ${ready.status}`)
  check((await read(agent, `${url}/livez`)).status === 200, "/livez did not answer 200")
  const old = await until(
    () => readPost(agent, `${url}/pheromones/before/inflate`),
    ({ status }) => status === 503
  )
  check(old.text === "read-only", `the old ledger's route answered ${old.status} ${old.text}`)

  free()
  const again = await until(
    () => publish(refused ?? "again"),
    ({ status }) => status === 201
  )
  check(again.status === 201, `with space again: ${again.status} ${JSON.stringify(again.body)}`)
  isOver = true
  await Promise.all(working)
  for (const name of ["before", ...acknowledged]) {
    check((await read(agent, `${url}/claims/${name}`)).status === 200, `${name} was acknowledged and is lost`)
  }
  agent.destroy()
  const audit = new LedgerAudit()
  await audit.check(path, clients)
  check(audit.typesSeen.has("JournalWritesResumed"), "the journal does not say that it takes writes again")
  return [...faults, ...audit.faults]
}

interface Text {
  readonly status: number
  readonly text: string
}

const readAll = (agent: Agent, url: string, method: "GET" | "POST"): Promise<Text> =>
  new Promise((resolve, reject) => {
    const asking = request(url, { agent, method }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part
      })
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }))
    })
    asking.on("error", reject)
    asking.end()
  })
const read = (agent: Agent, url: string) => readAll(agent, url, "GET")
const readPost = (agent: Agent, url: string) => readAll(agent, url, "POST")

/** Asks again until the answer is as wanted, or for too long; answers with the last one. */
const until = async <A>(ask: () => Promise<A>, isWanted: (answer: A) => boolean): Promise<A> => {
  const endsAt = performance.now() + longestMs
  for (;;) {
    const answer = await ask()
    if (isWanted(answer) || performance.now() > endsAt) return answer
    await new Promise((resolve) => setTimeout(resolve, againMs))
  }
}
