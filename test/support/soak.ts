/**
 * Works a hub for as long as one likes: clients that claim and finish, followers that come and go, restarts in good order and without
 * warning. Holds what it sees against what it was told, and watches that nothing grows which should not. Shared by the suite (seconds)
 * and `scripts/soak.ts` (minutes).
 */

import { statSync } from "node:fs"
import { Agent } from "node:http"
import { join } from "node:path"
import { setTimeout as wait } from "node:timers/promises"
import { Follower } from "./followers.js"
import { type HubProcess, spawnHub } from "./hubProcess.js"
import { post } from "./LedgerClient.js"
import { Random } from "./Random.js"

export interface SoakOptions {
  readonly workspace: string
  readonly durationMs: number
  readonly restartEveryMs: number
  readonly sampleEveryMs: number
  readonly clients: number
  readonly followers: number
  /** Commands a second that all clients send together at most: a journal of some minutes is to fit a disk. */
  readonly commandsPerSecond: number
  readonly seed: number
  readonly onSample?: (sample: Sample) => void
}

/** What a hub takes at a moment. */
export interface Sample {
  readonly atMs: number
  readonly boot: number
  readonly events: number
  readonly heapBytes: number
  readonly handles: number
  readonly openFiles: number
  readonly walBytes: number
}

export interface SoakResult {
  readonly acknowledged: number
  readonly events: number
  readonly restarts: number
  readonly reconnects: number
  readonly samples: ReadonlyArray<Sample>
  readonly faults: ReadonlyArray<string>
}

/** Where the hub is now; whoever asks while there is none waits for the next one. */
class Place {
  boots = 0
  isOver = false
  #hub: HubProcess
  #url: Promise<string>

  constructor(private readonly workspace: string) {
    this.#hub = this.#spawn()
    this.#url = this.#hub.url()
  }

  get url(): Promise<string> {
    return this.#url
  }

  /** Ends the hub, with or without a warning, and starts the next one. */
  async restart(isKill: boolean): Promise<void> {
    await this.end(isKill)
    this.#hub = this.#spawn()
    this.#url = this.#hub.url()
    await this.#url
  }

  async end(isKill: boolean): Promise<void> {
    await (isKill ? this.#hub.kill() : this.#hub.stop())
  }

  #spawn(): HubProcess {
    this.boots += 1
    return spawnHub(this.workspace, { flags: ["--quiet"] })
  }
}

export const runSoak = async (options: SoakOptions): Promise<SoakResult> => {
  const { workspace, durationMs, seed } = options
  const random = new Random(seed)
  const place = new Place(workspace)
  const faults: Array<string> = []
  const samples: Array<Sample> = []
  /** Offsets that clients were told of and no follower has seen yet, with the command. */
  const told = new Map<number, string>()
  const seen = new Seen(told, faults)
  const startedAt = performance.now()
  await place.url

  const pauseMs = (1_000 * options.clients) / options.commandsPerSecond
  const clients = Array.from({ length: options.clients }, (_, n) => work(place, `c${n}`, pauseMs, told, seen))
  const followers = Array.from({ length: options.followers }, (_, n) =>
    follow(place, n === 0 ? seen : new Seen(undefined, faults), random.split())
  )
  const sampling = sample(place, options, startedAt, samples)

  let isKill = true
  while (performance.now() - startedAt < durationMs) {
    await wait(Math.min(options.restartEveryMs, Math.max(0, durationMs - (performance.now() - startedAt))))
    if (performance.now() - startedAt >= durationMs) break
    await place.restart(isKill)
    isKill = !isKill
  }
  place.isOver = true
  const acknowledged = (await Promise.all(clients)).reduce((sum, count) => sum + count, 0)
  await sampling
  const head = await headOf(await place.url)
  const last = await post(new Agent(), `${await place.url}/claims`, "last", { record: mark("last") })
  const end = Math.max(head, Number(last.body.offset))
  const reconnects = (await Promise.all(followers.map((follower) => follower.until(end)))).reduce(
    (sum, count) => sum + count,
    0
  )
  for (const [offset, command] of told)
    faults.push(`${command} was told offset ${offset}, which no follower saw`)
  await place.end(false)
  faults.push(...growth(samples))
  return { acknowledged, events: end, restarts: place.boots - 1, reconnects, samples, faults }
}

/** What one follower has seen: every event once, in order. */
class Seen {
  offset = 0

  constructor(
    private readonly told: Map<number, string> | undefined,
    private readonly faults: Array<string>
  ) {}

  take(offset: number, commandId: string): void {
    if (offset !== this.offset + 1) this.faults.push(`after ${this.offset} a follower saw ${offset}`)
    this.offset = offset
    const command = this.told?.get(offset)
    if (command !== undefined && command !== commandId) {
      this.faults.push(`offset ${offset} was told to ${command} and is ${commandId}'s`)
    }
    this.told?.delete(offset)
  }
}

const mark = (id: string) => ({ id, stanceTarget: "any", baseIntensity: 1, decayRate: 0 })

/** Publishes, claims, renews and finishes, for ever; a command without an answer is sent again under its id. */
const work = async (
  place: Place,
  peer: string,
  pauseMs: number,
  told: Map<number, string>,
  seen: Seen
): Promise<number> => {
  let acknowledged = 0
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const send = async (commandId: string, path: string, body: object) => {
    for (;;) {
      try {
        const { status, body: answer } = await post(agent, (await place.url) + path, commandId, { ...body })
        if (status < 300) {
          acknowledged += 1
          const offset = Number(answer.offset)
          if (offset > seen.offset) told.set(offset, commandId)
          return answer
        }
        if (status !== 503) throw new Error(`${commandId}: ${status} ${JSON.stringify(answer)}`)
      } catch (error) {
        if (!/^(ECONN|EPIPE)/.test(String((error as { code?: string }).code))) throw error
      }
      await wait(20)
    }
  }
  for (let round = 0; !place.isOver; round++) {
    const id = `${peer}-${round}`
    await send(`${id}:publish`, "/claims", { record: mark(id) })
    await wait(pauseMs)
    const { token } = await send(`${id}:claim`, `/claims/${id}/claim`, { peer, ttlMs: 600_000 })
    await wait(pauseMs)
    await send(`${id}:complete`, `/claims/${id}/complete`, { token, summary: "done" })
    await wait(pauseMs)
  }
  agent.destroy()
  return acknowledged
}

/** The longest that a follower stays before it leaves by itself and comes back. */
const longestStayMs = 3_000

/** Follows the journal over connections that break, each time from where it was. */
const follow = (place: Place, seen: Seen, random: Random) => {
  let reconnects = 0
  let end = Number.POSITIVE_INFINITY
  let current: Follower | undefined
  const following = (async () => {
    while (seen.offset < end) {
      try {
        const { port } = new URL(await place.url)
        const headers = { Accept: "text/event-stream", "Last-Event-ID": String(seen.offset) }
        current = await Follower.open(Number(port), "/journal", headers)
        const leaving = setTimeout(() => current?.cut(), random.below(longestStayMs))
        try {
          while (seen.offset < end) {
            const { id, data } = await current.next()
            if (data === undefined || id === undefined) continue
            seen.take(Number(id), (JSON.parse(data) as { commandId: string }).commandId)
          }
        } finally {
          clearTimeout(leaving)
          current.cut()
        }
      } catch {
        // Cut off, or the hub is away: it comes back.
        reconnects += 1
        await wait(20)
      }
    }
    return reconnects
  })()
  return {
    /** Completes once it has seen all up to an offset, with how often it had to come back. */
    until: (offset: number): Promise<number> => {
      end = offset
      if (seen.offset >= end) current?.cut()
      return following
    }
  }
}

const headOf = async (url: string): Promise<number> =>
  ((await (await fetch(`${url}/journal?limit=1`)).json()) as { head: number }).head

const sample = async (
  place: Place,
  { workspace, sampleEveryMs, onSample }: SoakOptions,
  startedAt: number,
  samples: Array<Sample>
): Promise<void> => {
  while (!place.isOver) {
    await wait(sampleEveryMs)
    try {
      const url = await place.url
      const text = await (await fetch(`${url}/metrics`)).text()
      const metric = (name: string) => Number(new RegExp(`^mound_${name} (.*)$`, "m").exec(text)?.[1])
      const taken: Sample = {
        atMs: Math.round(performance.now() - startedAt),
        boot: place.boots,
        events: await headOf(url),
        heapBytes: metric("nodejs_heap_size_used_bytes"),
        handles: metric("nodejs_active_handles_total"),
        openFiles: metric("process_open_fds"),
        walBytes: statSync(join(workspace, ".mound/mound.db-wal"), { throwIfNoEntry: false })?.size ?? 0
      }
      samples.push(taken)
      onSample?.(taken)
    } catch {
      // Between two hubs there is nothing to weigh.
    }
  }
}

const MiB = 1_048_576
/** The WAL is taken back into the database at 4 MiB; a reader may hold that up for a while. */
const maxWalBytes = 64 * MiB
/** What a heap may differ by for the moment at which it was looked at. */
const heapSlack = 1.3
const heapFloor = 24 * MiB
const slackOfHandles = 16

/** What has grown from the second quarter to the last one; the first is for warming up. */
const growth = (samples: ReadonlyArray<Sample>): ReadonlyArray<string> => {
  const quarter = Math.floor(samples.length / 4)
  const faults: Array<string> = []
  const highest = Math.max(0, ...samples.map(({ walBytes }) => walBytes))
  if (highest > maxWalBytes) faults.push(`the WAL grew to ${highest} bytes`)
  const compare = (name: "heapBytes" | "handles" | "openFiles", allowed: (early: number) => number) => {
    const middle = (part: ReadonlyArray<Sample>) =>
      part.map((each) => each[name]).sort((a, b) => a - b)[part.length >> 1] ?? 0
    const early = middle(samples.slice(quarter, 2 * quarter))
    const late = middle(samples.slice(-quarter))
    if (quarter > 0 && late > allowed(early)) faults.push(`${name} grew from ${early} to ${late}`)
  }
  compare("heapBytes", (early) => Math.max(early * heapSlack, early + heapFloor))
  compare("handles", (early) => early + slackOfHandles)
  compare("openFiles", (early) => early + slackOfHandles)
  return faults
}
