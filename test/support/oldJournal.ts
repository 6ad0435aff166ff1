/** A stopped workspace whose journal is some days long and lies in the past. */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { Context, Effect, Layer, type Scope, TestClock } from "effect"
import { claimHistory } from "../../src/actors/claim/claimKind.js"
import type { RecordedEvent } from "../../src/events/Event.js"
import * as EventRows from "../../src/events/EventRows.js"
import * as SqliteStore from "../../src/events/SqliteStore.js"
import { projections } from "../../src/replay/installed.js"
import { workspaceFolder } from "./binaries.js"
import { bootClaims, type Claims, together } from "./claimSystem.js"
import { journalOf } from "./exports.js"
import { offset } from "./stores.js"
import { sqliteJournalFor } from "./systems.js"

export const dayOf = (day: number): number => Date.UTC(2026, 0, day)
const noon = 43_200_000

/** Lets claims of a workspace's journal live for a while, at noon of a day. */
export const onDay = (
  workspace: string,
  day: number,
  body: (claims: Claims) => Effect.Effect<unknown, unknown, Scope.Scope>
): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* TestClock.setTime(dayOf(day) + noon)
    yield* Effect.orDie(body(yield* bootClaims()))
  }).pipe(Effect.scoped, Effect.provide(sqliteJournalFor([claimHistory], journalOf(workspace), projections)))

/** Five days from the first of January on with marks on each; a claim is held for ever since the third. */
export const oldWorkspace = (marksADay = 60): Effect.Effect<string, never, Scope.Scope> =>
  Effect.gen(function* () {
    const workspace = yield* workspaceFolder()
    mkdirSync(join(workspace, ".mound"), { mode: 0o700 })
    for (const day of [1, 2, 3, 4, 5]) {
      yield* onDay(workspace, day, ({ publish, send }) =>
        Effect.gen(function* () {
          const publishing = Array.from({ length: marksADay }, (_, index) => {
            const words = `ünïcode 🜁 "data": ${index} `.repeat(1 + (index % 7))
            return publish(`d${day}-${index}`, { payload: { words, data: { data: index } } })
          })
          yield* Effect.all(publishing, together)
          yield* send(`d${day}-1`, { type: "ClaimWork", peer: "ann", ttlMs: null })
          if (day !== 3) yield* send(`d${day}-1`, { type: "RevokeClaim", reason: "over" })
        })
      )
    }
    return workspace
  })

/** Looks at a workspace's journal. */
export const looking = <A, E>(
  workspace: string,
  look: (store: SqliteStore.SqliteStore["Type"]) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Layer.build(SqliteStore.layerReadOnly(journalOf(workspace))).pipe(
    Effect.orDie,
    Effect.flatMap((context) => look(Context.get(context, SqliteStore.SqliteStore))),
    Effect.scoped
  )

/** The lines of all its events, as an export has them. */
export const linesIn = (workspace: string): Effect.Effect<ReadonlyArray<string>> =>
  looking(workspace, (store) =>
    Effect.map(Effect.orDie(EventRows.readAfter(store, offset(0), 1_000_000)), (events) =>
      events.map(({ json }: RecordedEvent) => json)
    )
  )
