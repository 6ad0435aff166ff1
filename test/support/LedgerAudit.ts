/**
 * Holds a workspace's journal against what its clients were told, and against itself. Knows nothing of how the hub works: it counts,
 * compares, and follows who holds what from the events alone.
 */
import { Context, Effect, Layer } from "effect"
import { idOf, kindOf, type Offset, type RecordedEvent } from "../../src/events/Event.js"
import * as EventRows from "../../src/events/EventRows.js"
import { layerMoment, makeInMemory, SqliteStore } from "../../src/events/SqliteStore.js"
import { verify } from "../../src/events/verify.js"
import { foldStreams } from "../../src/projections/foldStreams.js"
import type { Projection } from "../../src/projections/Projection.js"
import * as Tables from "../../src/projections/Tables.js"
import { histories, knownEvents, projections } from "../../src/replay/installed.js"
import { replay } from "../../src/replay/replay.js"
import type { LedgerClient, Sent } from "./LedgerClient.js"

type Store = SqliteStore["Type"]

const pageSize = 1_000
/** Events by which a claim is nobody's again. */
const endings: ReadonlySet<string> = new Set([
  "ClaimReleased",
  "ClaimCompleted",
  "ClaimFailed",
  "ClaimExpired",
  "ClaimRevoked"
])

export class LedgerAudit {
  readonly faults: Array<string> = []
  /** Offsets of the events that each command led to. */
  readonly #offsetsOf = new Map<string, Array<number>>()
  readonly #typeAt = new Map<number, string>()
  /** The token under which each claim is held, and the newest one that it was ever held under. */
  readonly #heldUnder = new Map<string, number>()
  readonly #newestToken = new Map<string, number>()
  #offset = 0 as Offset
  #losses = 0

  /** Every type of event that the journal holds. */
  get typesSeen(): ReadonlySet<string> {
    return new Set(this.#typeAt.values())
  }

  get events(): number {
    return this.#offset
  }

  /** Boots that ended without a stop, as the journal has it. */
  get losses(): number {
    return this.#losses
  }

  /** Checks everything as it is at this moment; what is wrong is added to the faults. */
  check(path: string, clients: ReadonlyArray<LedgerClient>): Promise<void> {
    return Effect.gen(this, function* () {
      const store = Context.get(yield* Layer.build(layerMoment(path)), SqliteStore)
      const { fault } = yield* verify(store)
      if (fault) this.#fault(`the chain breaks at offset ${fault.offset}: ${fault.detail}`)
      yield* this.#readOn(store)
      yield* this.#compareWithReplay(store)
      yield* Effect.forEach(projections, (projection) => this.#compareDigests(store, projection))
      for (const client of clients) {
        for (const sent of client.sent) this.#compareWithTold(sent)
        for (const contradiction of client.contradictions) this.#fault(contradiction)
      }
    }).pipe(Effect.scoped, Effect.orDie, Effect.runPromise)
  }

  #fault(text: string): void {
    this.faults.push(text)
  }

  #readOn(store: Store) {
    return Effect.gen(this, function* () {
      for (;;) {
        const page = yield* EventRows.readAfter(store, this.#offset, pageSize)
        for (const event of page) this.#take(event)
        this.#offset = page.at(-1)?.offset ?? this.#offset
        if (page.length < pageSize) return
      }
    })
  }

  #take(event: RecordedEvent): void {
    const { offset, type, commandId, stream } = event
    this.#typeAt.set(offset, type)
    this.#offsetsOf.set(commandId, [...(this.#offsetsOf.get(commandId) ?? []), offset])
    if (type === "HubLossDetected") this.#losses += 1
    if (type === "ProjectionDiverged") this.#fault(`offset ${offset}: ${event.dataJson}`)
    if (kindOf(stream) === "claim") this.#followHolder(event)
  }

  #followHolder({ stream, offset, type }: RecordedEvent): void {
    const id = idOf(stream)
    const held = this.#heldUnder.get(id)
    if (type === "ClaimGranted") {
      if (held !== undefined) this.#fault(`${id} has two holders, under tokens ${held} and ${offset}`)
      if ((this.#newestToken.get(id) ?? 0) >= offset) this.#fault(`the token of ${id} fell to ${offset}`)
      this.#heldUnder.set(id, offset)
      this.#newestToken.set(id, offset)
    } else if (endings.has(type)) {
      if (held === undefined) this.#fault(`offset ${offset}: ${type} of ${id}, which nobody held`)
      this.#heldUnder.delete(id)
    }
  }

  /** Today's machines accept every event and come to the recorded states; today's reducers make the very rows that are live. */
  #compareWithReplay(store: Store) {
    return Effect.map(
      replay(store, { histories, known: knownEvents, projections, compare: true }),
      ({ divergences, differences }) => {
        for (const each of [...divergences, ...differences]) this.#fault(JSON.stringify(each))
      }
    )
  }

  #compareDigests(store: Store, projection: Projection) {
    return Effect.gen(this, function* () {
      const copy = yield* makeInMemory
      yield* copy.transaction((connection) => Tables.create(connection, projection, projection.name))
      yield* foldStreams(store, knownEvents, projection, this.#offset, (finished) =>
        copy.transaction((connection) => Tables.upsert(connection, projection, projection.name, finished))
      )
      const live = yield* Tables.digest(store.read, projection)
      const rebuilt = yield* Tables.digest(copy.read, projection)
      if (live !== rebuilt) this.#fault(`${projection.name}: live digest ${live}, rebuilt ${rebuilt}`)
    })
  }

  #compareWithTold({ commandId, action, answer }: Sent): void {
    const offsets = this.#offsetsOf.get(commandId) ?? []
    if (offsets.length > 1) this.#fault(`${commandId} was carried out ${offsets.length} times: ${offsets}`)
    if (!answer) return
    const { status, body } = answer
    const [offset] = offsets
    if (status >= 300) {
      if (offset !== undefined) this.#fault(`${commandId} was refused (${body._tag}) and stands at ${offset}`)
      return
    }
    if (action === "renew") {
      if (body.recorded === true && offset === undefined) this.#fault(`${commandId}: the renewal is missing`)
      return
    }
    const told = action === "claim" || action === "claimNext" ? body.token : body.offset
    const isUnchanged =
      offset === undefined && action === "claim" && this.#typeAt.get(Number(told)) !== undefined
    if (offset !== told && !isUnchanged) {
      this.#fault(`${commandId} (${action}) was told ${told}, the journal has it at ${offset}`)
    }
  }
}
