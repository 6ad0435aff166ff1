import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as fc from "fast-check"
import { ClaimIndex, type ClaimState } from "../../src/actors/claim/ClaimIndex.js"
import { claimHistory } from "../../src/actors/claim/claimKind.js"
import { idOf, type RecordedEvent } from "../../src/events/Event.js"
import { Journal } from "../../src/events/Journal.js"
import { SqliteStore } from "../../src/events/SqliteStore.js"
import { Writer } from "../../src/events/Writer.js"
import { readSeed } from "../../src/hub/lifecycle.js"
import { claims } from "../../src/projections/claims.js"
import { LiveRows } from "../../src/projections/LiveRows.js"
import { type Row, RowFold } from "../../src/projections/Projection.js"
import { Projector } from "../../src/projections/Projector.js"
import { histories, take } from "../support/claimSteps.js"
import { Ledger } from "../support/ledger.js"
import { temporaryFolder } from "../support/stores.js"
import { sqliteJournalFor } from "../support/systems.js"

describe("after any history, the projection claims", () => {
  it("says what the claims themselves know", () => {
    fc.assert(
      fc.property(histories, (steps) => {
        const { states, events } = play(steps)
        const fold = new RowFold(claims)
        for (const event of events) fold.apply(event)
        expect(fold.rows.size).toBe(states.length)
        for (const state of states) {
          expect(fold.rows.get(idOf(state.stream))).toMatchObject(known(state))
        }
      }),
      { numRuns: 200 }
    )
  })

  it.effect.prop(
    "is the same to the last byte live, rebuilt and folded anew, however the events came in batches",
    [histories, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 })],
    ([steps, sizes]) =>
      Effect.gen(function* () {
        const { events } = play(steps)
        yield* append(events, sizes)
        const writer = yield* Writer
        const { digest, liveDigest, rows } = yield* writer.rebuild("claims")
        expect(digest).toBe(liveDigest)
        const fold = new RowFold(claims)
        for (const event of events) fold.apply(event)
        expect(rows).toBe(fold.rows.size)
        const live = new LiveRows(yield* SqliteStore, [claims])
        yield* live.compare([fold])
        expect(live.differences).toEqual([])
      }).pipe(Effect.provide(store)),
    { fastCheck: { numRuns: 12 } }
  )

  it.effect.prop(
    "is at any moment enough for the index of all claims to go on from after a restart",
    [histories],
    ([steps]) =>
      Effect.gen(function* () {
        const { read } = yield* Projector
        const ledger = new Ledger()
        let appended = 0
        for (const step of steps) {
          take(ledger, step)
          const { events, kind, now } = ledger
          if (events.length < appended + 3) continue
          yield* append(events.slice(appended), [64])
          appended = events.length
          const restarted = new ClaimIndex()
          restarted.seed(yield* readSeed(read))
          expect(told(restarted, now)).toEqual(told(kind.index, now))
        }
      }).pipe(Effect.provide(store)),
    { fastCheck: { numRuns: 12 } }
  )
})

/** All that an index can be asked. */
const told = (index: ClaimIndex, now: number) => ({
  counts: new Map([...index.counts].filter(([, count]) => count > 0)),
  listed: index.listed,
  leased: index.leased().toSorted((a, b) => a.id.localeCompare(b.id)),
  strongest: ["", "a", "b", "c"].flatMap((prefix) =>
    [now, now + 2_500, now + 60_000].map((at) =>
      index.strongest({ weights: undefined, minScore: -10, prefix }, at)
    )
  )
})

const play = (steps: Parameters<typeof take>[1][]): Ledger => {
  const ledger = new Ledger()
  for (const step of steps) take(ledger, step)
  return ledger
}

/** What a claim's state says of its row; the record itself is the journal's. */
const known = ({ name, version, offset, context }: ClaimState): Partial<Row> => {
  const { mark, holder, offer } = context
  return {
    state: name,
    version,
    offset,
    stance: mark?.stanceTarget.toWellFormed() ?? null,
    base: mark?.baseIntensity ?? null,
    decay: mark?.decayRate ?? null,
    published_at: mark && context.publishedAt,
    inflations: context.inflations,
    first_offset: context.firstOffset,
    max_attempts: context.maxAttempts,
    peer: holder?.peer ?? null,
    instance: holder?.instance ?? null,
    bound_to: holder?.boundTo ?? null,
    token: context.token,
    attempts: context.attempts,
    settled: context.settled ? 1 : 0,
    outcome: context.outcome,
    offer_to: offer?.to ?? null,
    offer_until: offer?.until ?? null,
    not_before: context.notBefore || null,
    ...(holder && {
      ttl_ms: context.ttlMs,
      grace_ms: context.graceMs,
      granted_at: context.grantedAt,
      lease_from: context.leaseFrom
    })
  }
}

/** A store of its own for each run. */
const store = Layer.unwrapScoped(
  Effect.map(temporaryFolder, (folder) =>
    sqliteJournalFor([claimHistory], join(folder, "mound.db"), [claims])
  )
)

/** Appends events as they were recorded, in batches of these sizes, over and over. */
const append = (events: ReadonlyArray<RecordedEvent>, sizes: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const journal = yield* Journal
    let from = 0
    for (let batch = 0; from < events.length; batch++) {
      const size = sizes[batch % sizes.length] as number
      const slice = events.slice(from, from + size)
      yield* journal.append({ events: slice.map((event) => ({ ...event, data: event.data })) })
      from += size
    }
  })
