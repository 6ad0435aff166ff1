/**
 * Writes the golden journal, test/fixtures/golden.jsonl: everything that can happen to a claim and most of what can happen to a hub,
 * as real hubs recorded it in a few seconds. It is made once and kept: what it folds to must never change. A new kind gets a golden
 * journal of its own beside it.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "../..")
const binary = join(root, "dist/bin/mound.js")
const target = join(root, "test/fixtures/golden.jsonl")

const mound = async (workspace: string, ...words: ReadonlyArray<string>): Promise<string> => {
  const child = spawn(process.execPath, [binary, ...words], {
    cwd: workspace,
    stdio: ["ignore", "pipe", "pipe"]
  })
  let output = ""
  child.stdout.on("data", (text) => {
    output += text
  })
  await once(child, "close")
  return output.trim()
}

const boot = async (workspace: string): Promise<{ child: ChildProcess; url: string }> => {
  const child = spawn(process.execPath, [binary, "dev"], {
    cwd: workspace,
    stdio: ["ignore", "pipe", "inherit"]
  })
  let output = ""
  for await (const text of child.stdout) {
    output += text
    if (output.includes("HubReady")) break
  }
  return { child, url: output.split("\n")[0] as string }
}

const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
  child.kill(signal)
  await once(child, "close")
}

type Body = { readonly [field: string]: unknown }
type Answer = { readonly token: number; readonly id: string }

const callerOf =
  (url: string) =>
  async (path: string, body: Body = {}): Promise<Answer> => {
    const response = await fetch(`${url}${path}`, { method: "POST", body: JSON.stringify(body) })
    return (await response.json()) as Answer
  }

/** Polls until an event of a type is on a stream: deadlines are real here. */
const awaitEvent = async (url: string, stream: string, type: string): Promise<void> => {
  for (;;) {
    const response = await fetch(`${url}/journal?limit=1000&stream=${encodeURIComponent(stream)}`)
    const { events } = (await response.json()) as { events: ReadonlyArray<{ type: string }> }
    if (events.some((event) => event.type === type)) return
    await new Promise((resume) => setTimeout(resume, 100))
  }
}

const live = async (url: string): Promise<void> => {
  const call = callerOf(url)
  const deposit = (id: string, more: Body = {}, options: Body = {}) =>
    call("/claims", {
      record: { id, stanceTarget: "reviewer", baseIntensity: 1, decayRate: 0.01, ...more },
      ...options
    })
  const take = (id: string, peer: string, more: Body = {}) =>
    call(`/claims/${encodeURIComponent(id)}/claim`, { peer, ...more })

  await deposit("expired", { payload: { text: 'é"\\\u0001😀', list: [1.5, null, { deep: true }] } })
  await take("expired", "ann", { ttlMs: 1_000, graceMs: 500 })
  await deposit("lapsed")
  const lapsing = await take("lapsed", "ann", { ttlMs: null, graceMs: 0 })
  await call("/claims/lapsed/handoff/offer", { token: lapsing.token, to: "bob", offerMs: 1_000 })

  await deposit("a b/ü", { inflations: 2, kind: "odd", "7": 7 })
  await call(`/claims/${encodeURIComponent("a b/ü")}/inflate`)
  const odd = await take("a b/ü", "ann", { instance: "one", ttlMs: 60_000, graceMs: 10_000 })
  await call(`/claims/${encodeURIComponent("a b/ü")}/complete`, {
    token: odd.token,
    summary: "done",
    result: { files: 3 },
    evidence: [{ kind: "commit", uri: "git:abc" }]
  })
  await call(`/claims/${encodeURIComponent("a b/ü")}/reopen`, { reason: "not really" })
  await deposit("a b/ü", { baseIntensity: 2.25 })

  await deposit("failing", {}, { maxAttempts: 2 })
  for (const retryAfterMs of [0, 0]) {
    const { token } = await take("failing", "ann")
    await call("/claims/failing/fail", { token, reason: "it broke", retryAfterMs })
  }
  await deposit("given-up")
  const givenUp = await take("given-up", "ann")
  await call("/claims/given-up/fail", { token: givenUp.token, reason: "cannot be", retry: false })

  await deposit("handed-over")
  const handed = await take("handed-over", "ann", { ttlMs: 3_600_000 })
  const offer = { token: handed.token, to: "bob" }
  await call("/claims/handed-over/handoff/offer", offer)
  await call("/claims/handed-over/handoff/decline", { peer: "bob" })
  await call("/claims/handed-over/handoff/offer", offer)
  await call("/claims/handed-over/handoff/withdraw", { token: handed.token })
  await call("/claims/handed-over/handoff/offer", offer)
  const accepted = await call("/claims/handed-over/handoff/accept", { peer: "bob", ttlMs: 3_600_000 })
  await call("/claims/handed-over/reclaim", {
    peer: "eve",
    expectedToken: accepted.token,
    reason: "urgent",
    force: true
  })

  await deposit("released")
  const released = await take("released", "ann")
  await call("/claims/released/release", { token: released.token, reason: "changed my mind" })
  await deposit("revoked")
  await take("revoked", "ann")
  await call("/claims/revoked/revoke", { reason: "wanted elsewhere" })
  await deposit("evaporated")
  await call("/claims/evaporated/evaporate", { reason: "stale" })
  await call("/claims/preclaimed/claim", { peer: "ann", preclaim: true, ttlMs: null })
  await fetch(`${url}/pheromones/revoked/claim`, { method: "POST" })
  await deposit("faded", { baseIntensity: 0.001 })
  await fetch(`${url}/pheromones/faded/claim`, { method: "POST" })
  await call("/ledger/sweep")
  await deposit("strongest", { baseIntensity: 50, stanceTarget: "tester" })
  await call("/claims/next", { peer: "cyd", stances: { tester: 0.5 }, ttlMs: null })

  await deposit("renewed")
  const renewed = await take("renewed", "ann", { ttlMs: 2_000, graceMs: 0 })
  await new Promise((resume) => setTimeout(resume, 1_000))
  await call("/claims/renewed/renew", { token: renewed.token })
  await awaitEvent(url, "claim/expired", "ClaimExpired")
  await awaitEvent(url, "claim/lapsed", "HandoffLapsed")
  await call("/projections/claims/rebuild")
}

const main = async (): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "mound-golden-"))
  writeFileSync(join(folder, "mound.yaml"), "")
  const first = await boot(folder)
  await live(first.url)
  await end(first.child, "SIGKILL")

  const second = await boot(folder)
  await end(second.child, "SIGTERM")
  const stranger = createServer().listen(Number(new URL(second.url).port), "127.0.0.1")
  await once(stranger, "listening")
  await mound(folder, "dev", "--port", new URL(second.url).port)
  const third = await boot(folder)
  await callerOf(third.url)("/claims/renewed/inflate")
  await end(third.child, "SIGINT")
  stranger.close()

  // Restored elsewhere: what was leased is revoked there.
  const restored = mkdtempSync(join(tmpdir(), "mound-golden-"))
  writeFileSync(join(restored, "mound.yaml"), "")
  const exported = join(folder, "export.jsonl")
  await mound(folder, "journal", "export", "--out", exported)
  await mound(restored, "journal", "import", exported)
  rmSync(target, { force: true })
  await mound(restored, "journal", "export", "--out", target)
  process.stdout.write(`${await mound(restored, "journal", "verify")} in ${target}\n`)
  for (const made of [folder, restored]) rmSync(made, { recursive: true })
}

await main()
