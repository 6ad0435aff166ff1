/** Claims in a real actor system on a real file, with the test's clock. */
import { join } from "node:path"
import { it } from "@effect/vitest"
import { Effect, Exit, type Scope, TestClock } from "effect"
import type { ActorSystem } from "../../src/actors/ActorSystem.js"
import type { Outcome } from "../../src/actors/CommandQueue.js"
import type { ClaimCommand } from "../../src/actors/claim/ClaimCommand.js"
import type { ClaimRules } from "../../src/actors/claim/ClaimDecision.js"
import type { ClaimState } from "../../src/actors/claim/ClaimIndex.js"
import type { ClaimReason } from "../../src/actors/claim/ClaimRefusal.js"
import { type ClaimKind, claimHistory, makeClaimKind } from "../../src/actors/claim/claimKind.js"
import type { Refused } from "../../src/actors/Refused.js"
import { makeStreamId } from "../../src/events/Event.js"
import { Journal } from "../../src/events/Journal.js"
import { claims } from "../../src/projections/claims.js"
import { Projector } from "../../src/projections/Projector.js"
import { record } from "./claimFacts.js"
import { usualRules } from "./claimStory.js"
import { offset, temporaryFolder } from "./stores.js"
import { boot, sqliteJournalFor, turns } from "./systems.js"

export type ClaimOutcome = Outcome & { readonly state: ClaimState }

/** One life of a hub's claims. */
export interface Claims {
  readonly kind: ClaimKind
  readonly system: ActorSystem["Type"]
  readonly send: (
    id: string | undefined,
    command: ClaimCommand,
    more?: { readonly commandId?: string; readonly waitMs?: number }
  ) => Effect.Effect<ClaimOutcome, Refused<ClaimReason>>
  readonly publish: (id: string, mark?: object) => Effect.Effect<ClaimOutcome, Refused<ClaimReason>>
}

export const bootClaims = (
  rules: Partial<ClaimRules> = {}
): Effect.Effect<Claims, never, Journal | Scope.Scope> => {
  const kind = makeClaimKind({ ...usualRules, ...rules })
  return Effect.map(boot({ kinds: [kind] }), (system) => {
    const send: Claims["send"] = (id, command, more) =>
      Effect.map(
        system.send(kind, id, command, { by: "test", ...more }),
        (outcome) => outcome as ClaimOutcome
      )
    const publish: Claims["publish"] = (id, mark = {}) =>
      send(id, { type: "DepositPheromone", record: record({ id, ...mark }) })
    return { kind, system, send, publish }
  })
}

export type Stored = Journal | Projector | Scope.Scope

/** A test with a file of its own, in which claims and their projection live. */
export const withStore = <E>(name: string, body: () => Effect.Effect<void, E, Stored>) =>
  it.scoped(name, () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      yield* Effect.provide(body(), sqliteJournalFor([claimHistory], join(folder, "mound.db"), [claims]))
    })
  )

/** The same, with one life of them. */
export const withClaims = <E>(name: string, body: (claims: Claims) => Effect.Effect<void, E, Stored>) =>
  withStore(name, () => Effect.flatMap(bootClaims(), body))

export const together = { concurrency: "unbounded" } as const

/** Asks for a claim under a lease of 60 s with a grace of 30 s. */
export const take = (peer: string): Extract<ClaimCommand, { type: "ClaimWork" }> => ({
  type: "ClaimWork",
  peer,
  ttlMs: 60_000,
  graceMs: 30_000
})

/** Lets time pass, and what comes due in it happen. */
export const pass = (ms: number) => Effect.zipRight(TestClock.adjust(ms), turns)

export const recorded = Effect.flatMap(Journal, (journal) => journal.read(offset(0), 100_000))
export const recordedTypes = Effect.map(recorded, (events) => events.map(({ type }) => type))

/** What the store holds: equal before and after whatever must leave no trace. */
export const trace = Effect.gen(function* () {
  const journal = yield* Journal
  const projector = yield* Projector
  return [yield* journal.head, yield* projector.digest("claims")]
})

/** A claim as its events leave it. */
export const stateOf = ({ kind: { fold } }: Claims, id: string) => {
  const stream = makeStreamId("claim", id)
  return Effect.map(recorded, (events) =>
    events
      .filter((event) => event.stream === stream)
      .reduce((state, event) => fold.apply(state, event) ?? state, fold.initial(stream))
  )
}

export const reasonOf = (exit: Exit.Exit<unknown, Refused<ClaimReason>>): string =>
  Exit.match(exit, {
    onSuccess: () => "granted",
    onFailure: (cause) => (cause._tag === "Fail" ? cause.error.reason._tag : String(cause))
  })

/** The token of an outcome's holding. */
export const tokenOf = ({ state }: ClaimOutcome) => state.context.token ?? offset(0)
