import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Layer } from "effect"
import type { ClaimState } from "../../../src/actors/claim/ClaimIndex.js"
import { claimHistory } from "../../../src/actors/claim/claimKind.js"
import { makeStreamId, type StreamId } from "../../../src/events/Event.js"
import { Journal } from "../../../src/events/Journal.js"
import { Writer } from "../../../src/events/Writer.js"
import { claims } from "../../../src/projections/claims.js"
import { histories, type Step, withTokens } from "../../support/claimSteps.js"
import { bootClaims, type Claims, pass, recorded } from "../../support/claimSystem.js"
import { temporaryFolder } from "../../support/stores.js"
import { sqliteJournalFor, turns } from "../../support/systems.js"

const store = Layer.unwrapScoped(
  Effect.map(temporaryFolder, (folder) =>
    sqliteJournalFor([claimHistory], join(folder, "mound.db"), [claims])
  )
)

const head = Effect.flatMap(Journal, (journal) => journal.head)

/** Lets what has come due be written, until nothing more is. */
const settle: Effect.Effect<void, unknown, Journal> = Effect.gen(function* () {
  const before = yield* head
  yield* turns
  if ((yield* head).offset !== before.offset) yield* settle
})

/** Takes a step, and holds that exactly what was accepted was appended. */
const takeStep = ({ send }: Claims, step: Step, states: Map<StreamId, ClaimState>) =>
  Effect.gen(function* () {
    if (step.type === "Pass") return yield* Effect.zipRight(pass(step.ms), settle)
    const { id, command } = step
    const token = id === undefined ? 0 : (states.get(makeStreamId("claim", id))?.context.token ?? 0)
    const before = yield* head
    const exit = yield* Effect.exit(send(id, withTokens(command, token)))
    const after = yield* head
    const events = Exit.isSuccess(exit) ? exit.value.events : []
    if (events.length === 0) expect(after).toEqual(before)
    else expect(after).toMatchObject({ offset: before.offset + 1, hash: events[0]?.hash })
    if (Exit.isSuccess(exit)) states.set(exit.value.stream, exit.value.state)
  })

describe("whatever is asked of a running system of claims", () => {
  it.effect.prop(
    "only what is accepted is appended, its answers are what a replay comes to, and its rows what a rebuild does",
    [histories],
    ([steps]) =>
      Effect.gen(function* () {
        const system = yield* bootClaims({ maxHeldPerPeer: 2 })
        const states = new Map<StreamId, ClaimState>()
        for (const step of steps) yield* takeStep(system, step, states)

        const { fold } = claimHistory
        const events = yield* recorded
        for (const [stream, answered] of states) {
          const own = events.filter((event) => event.stream === stream && event.version <= answered.version)
          const replayed = own.reduce(
            (state, event) => fold.apply(state, event) ?? state,
            fold.initial(stream)
          )
          const { snapshot: _, ...comparable } = answered
          expect(replayed).toMatchObject(JSON.parse(JSON.stringify(comparable)))
        }
        const writer = yield* Writer
        const { digest, liveDigest, rows } = yield* writer.rebuild("claims")
        expect(digest).toBe(liveDigest)
        expect(rows).toBe(new Set(events.map(({ stream }) => stream)).size)
      }).pipe(Effect.scoped, Effect.provide(store)),
    { fastCheck: { numRuns: 6 } }
  )
})
