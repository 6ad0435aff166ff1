/** Runs a hub in a process of its own and says how long its event loop was held up, and what it took of the processor. */
import { Effect, Exit, Scope } from "effect"
import { serveJobs } from "./Helper.js"
import { startHubHere } from "./hubHere.js"

/** The first starts the hub; each is answered with what there was since the one before. */
export interface HubJob {
  readonly workspace: string
}

export interface HubSpent {
  readonly port: number
  /** The longest that a turn of the event loop had to wait, ms. */
  readonly longestStallMs: number
  /** User and system time of all threads, ms. */
  readonly processorMs: number
}

const scope = Effect.runSync(Scope.make())
let started: Promise<{ readonly port: number }> | undefined

serveJobs<HubJob, HubSpent>(async ({ workspace }) => {
  started ??= Effect.runPromise(Scope.extend(startHubHere(workspace), scope))
  const { port } = await started
  return { port, longestStallMs: stalls.take(), processorMs: processor.take() }
})

process.on("disconnect", () => Effect.runFork(Scope.close(scope, Exit.void)))

const tickMs = 5

/** A timer that should fire every few milliseconds: how much too late it was at worst. */
const stalls = (() => {
  let longest = 0
  let last = performance.now()
  setInterval(() => {
    const now = performance.now()
    longest = Math.max(longest, now - last - tickMs)
    last = now
  }, tickMs)
  return {
    take: () => {
      const taken = longest
      longest = 0
      return taken
    }
  }
})()

const processor = (() => {
  let before = process.cpuUsage()
  return {
    take: () => {
      const { user, system } = process.cpuUsage(before)
      before = process.cpuUsage()
      return (user + system) / 1_000
    }
  }
})()
