/**
 * A workspace with a long past: claims that were finished, and between their events those of claims that are held still and renewed
 * again and again, so that no stream lies in one piece. Written by the hub's own writer, with the snapshots that a hub would have made.
 */
import { mkdirSync } from "node:fs"
import { Clock, Effect, Scope } from "effect"
import type { ClaimEvent } from "../src/actors/claim/ClaimEvent.js"
import { claimHistory } from "../src/actors/claim/claimKind.js"
import type { ActorState } from "../src/actors/fold.js"
import {
  type EncodedEvent,
  makeStreamId,
  type Offset,
  type StreamId,
  type Version
} from "../src/events/Event.js"
import type { Snapshot } from "../src/events/Snapshots.js"
import { Writer } from "../src/events/Writer.js"
import { journalPath } from "../src/hub/holdLock.js"
import { layer as inlineWriter } from "../src/hub/inlineWriter.js"
import { happenings } from "./happenings.js"
import type { Sizes } from "./Scenario.js"
import { temporaryFolder } from "./temporaryFolder.js"

/** Makes it when it is first asked for; it is gone with the scope. */
export const longWorkspace = (sizes: Sizes): Effect.Effect<Effect.Effect<string>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    return yield* Effect.cached(
      Effect.gen(function* () {
        process.stderr.write(`  writing a journal of ${sizes.journalEvents.toLocaleString("en-US")} events\n`)
        const workspace = yield* temporaryFolder
        const stateDir = `${workspace}/.mound`
        mkdirSync(stateDir, { mode: 0o700 })
        yield* Effect.provide(writePast(sizes), inlineWriter(journalPath(stateDir)))
        return workspace
      }).pipe(Effect.orDie, Effect.provideService(Scope.Scope, scope))
    )
  })

const pageSize = 2_000
const hourMs = 3_600_000

const writePast = (sizes: Sizes) =>
  Effect.gen(function* () {
    const writer = yield* Writer
    const past = new Past((yield* Clock.currentTimeMillis) - hourMs)
    const told = happenings(sizes)
    let next = told.next()
    while (!next.done) {
      while (!next.done && past.events.length < pageSize) {
        const { id, fact } = next.value
        next = told.next(past.take(id, fact))
      }
      const { events, agendas, snapshots } = past.turnPage()
      yield* writer.commit([{ events, agendas }])
      yield* writer.saveSnapshots(snapshots)
    }
  })

/** Events after which a hub makes a snapshot. */
const snapshotEvery = 64

/** What has happened and is not written yet, with the states that it led to. */
class Past {
  events: Array<EncodedEvent> = []
  #snapshots = new Map<StreamId, Snapshot>()
  #agendas = new Map<StreamId, ActorState>()
  readonly #unfinished = new Map<StreamId, ActorState>()
  #offset = 0

  constructor(private readonly startedAt: number) {}

  /** Lets something happen to a claim; the offset of the event. */
  take(id: string, { type, ...data }: ClaimEvent): Offset {
    const { fold, version: kindVersion } = claimHistory
    const stream = makeStreamId("claim", id)
    const before = this.#unfinished.get(stream) ?? fold.initial(stream)
    const offset = ++this.#offset as Offset
    const event = {
      stream,
      version: (before.version + 1) as Version,
      type,
      at: this.startedAt + Math.floor(offset / 1_000),
      by: "ada",
      commandId: `past-${String(offset).padStart(9, "0")}`,
      causation: null,
      correlation: `past-${offset}`
    }
    const after = fold.apply(before, { ...event, offset, data })
    if (!after) throw new Error(`no ${type} in state ${before.name}`)
    this.events.push({ ...event, schema: 1, state: after.name, dataJson: JSON.stringify(data) })
    if (before.deadlines !== after.deadlines) this.#agendas.set(stream, after)
    if (after.version % snapshotEvery === 0) {
      const { version } = after
      this.#snapshots.set(stream, { stream, version, kindVersion, state: fold.persist(after) })
    }
    if (after.name === "done") this.#unfinished.delete(stream)
    else this.#unfinished.set(stream, after)
    return offset
  }

  /** What is to be written now. */
  turnPage() {
    const agendas = [...this.#agendas.values()].map(({ stream, deadlines }) => ({
      stream,
      deadlines,
      invocations: []
    }))
    const page = { events: this.events, agendas, snapshots: [...this.#snapshots.values()] }
    this.events = []
    this.#agendas = new Map()
    this.#snapshots = new Map()
    return page
  }
}
