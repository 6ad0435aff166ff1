/** What runs while a sense is in a state: its machine's invocations (contracts: senses and workflows 3.1). */
import { Effect } from "effect"
import type { InvocationCall } from "../actors/ActorKind.js"
import type { SenseCommand } from "../actors/sense/SenseCommand.js"
import type { SenseCause } from "../actors/sense/SenseEvent.js"
import type { SenseInvocations } from "../actors/sense/senseKind.js"
import { idOf, type Offset } from "../events/Event.js"
import { errorText } from "./errorText.js"
import type { SenseSignal } from "./SenseContext.js"
import type { ComputeReport, SenseGroups } from "./SenseGroups.js"

export interface SenseWorld {
  readonly groups: SenseGroups
  /** Hub clock. */
  readonly now: () => number
  /** The latest signal of each of these senses, as of an offset. */
  readonly latestSignals: (
    senses: ReadonlyArray<string>,
    upTo: Offset
  ) => Effect.Effect<{ readonly [sense: string]: SenseSignal }>
}

/** A clock that jumps is noticed after so long. */
const longestSleepMs = 60_000
/** When a start is tried again that was not possible although the sense was ready. */
const againMs = 50

/** `world` is asked when an invocation runs: the kind is made before the hub is. */
export const makeSenseInvocations = (world: () => SenseWorld): SenseInvocations => {
  const running =
    <Input>(body: (world: SenseWorld, call: InvocationCall, input: Input) => Effect.Effect<void>) =>
    (call: InvocationCall) =>
      Effect.suspend(() => body(world(), call, call.invocation.input as Input))
  const failed = (cause: unknown): SenseCommand => ({ type: "RecordSenseLoad", error: String(cause) })
  return {
    groupMember: {
      isStanding: true,
      run: running<{ readonly group: string; readonly isLeftOut: boolean }>(
        ({ groups }, call, { group, isLeftOut }) => (isLeftOut ? Effect.never : groups.member(group, call))
      ),
      lost: failed
    },
    intervals: { isStanding: true, run: running(tickAll), lost: failed },
    awaitStart: { isStanding: true, run: running(awaitStart), lost: failed },
    compute: {
      run: running(compute),
      lost: (cause, { since }): SenseCommand => ({
        type: "RecordComputeError",
        token: since,
        error: errorText(cause),
        durationMs: 0
      })
    },
    abortCompute: {
      run: running(abortCompute),
      // Its deadline ends the wait.
      lost: (_, { input }): SenseCommand => ({
        type: "RecordComputeAborted",
        token: (input as { readonly token: Offset }).token
      })
    }
  }
}

const sleepUntil = (now: () => number, at: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const left = at - now()
    return left <= 0
      ? Effect.void
      : Effect.zipRight(Effect.sleep(Math.min(left, longestSleepMs)), sleepUntil(now, at))
  })

/** What is decided is decided by the sense; a refusal needs no answer here. */
const tell = (call: InvocationCall, command: SenseCommand): Effect.Effect<void> =>
  Effect.ignore(call.send(command))

interface Plan {
  readonly intervalsMs: ReadonlyArray<number>
  readonly armedAt: number
  readonly armedGraceMs: number
  readonly plannedFrom: { readonly [everyMs: string]: number }
}

const tickAll = (world: SenseWorld, call: InvocationCall, plan: Plan): Effect.Effect<void> =>
  Effect.zipRight(
    Effect.forEach(plan.intervalsMs, (everyMs) => tick(world, call, plan, everyMs), {
      concurrency: "unbounded",
      discard: true
    }),
    Effect.never
  )

/**
 * The first tick comes when the grace ends, the others at a fixed distance from the last one on record. Ticks that nobody was there for
 * run once; the next is then the first planned time in the future.
 */
const tick = (
  { now }: SenseWorld,
  call: InvocationCall,
  { armedAt, armedGraceMs, plannedFrom }: Plan,
  everyMs: number
): Effect.Effect<never> => {
  const first = armedAt + armedGraceMs
  const last = plannedFrom[everyMs]
  const from = (planned: number, notBefore: number): Effect.Effect<never> =>
    Effect.gen(function* () {
      yield* sleepUntil(now, Math.max(planned, notBefore))
      const missed = Math.floor((now() - planned) / everyMs)
      const at = planned + Math.max(0, missed) * everyMs
      yield* tell(call, { type: "TriggerSense", cause: { kind: "interval", at, everyMs }, depth: 0 })
      return yield* from(at + everyMs, 0)
    })
  return from(last === undefined ? first : last + everyMs, first)
}

const awaitStart = (
  { groups, now }: SenseWorld,
  call: InvocationCall,
  { dueAt }: { readonly dueAt: number }
): Effect.Effect<void> =>
  Effect.zipRight(
    sleepUntil(now, dueAt),
    Effect.forever(
      Effect.gen(function* () {
        yield* groups.ready(idOf(call.stream))
        yield* tell(call, { type: "StartCompute" })
        yield* Effect.sleep(againMs)
      })
    )
  )

interface ComputeInput {
  readonly causes: ReadonlyArray<SenseCause>
  readonly startedAt: number
  readonly state: unknown
  readonly on: ReadonlyArray<string>
}

const compute = (
  { groups, latestSignals }: SenseWorld,
  call: InvocationCall,
  { causes, startedAt, state, on }: ComputeInput
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const token = call.invocation.since
    const signals = yield* latestSignals(on, token)
    const request = { token, now: startedAt, causes, state, signals }
    const report = yield* groups.compute(idOf(call.stream), request)
    yield* tell(call, toCommand(token, report))
  })

const toCommand = (token: Offset, report: ComputeReport): SenseCommand => {
  switch (report._tag) {
    case "Answered": {
      const { _tag: _, ...result } = report
      return { type: "RecordComputeResult", token, ...result }
    }
    case "Failed": {
      const { error, durationMs } = report
      return { type: "RecordComputeError", token, error, durationMs }
    }
  }
}

/** Unless its end was recorded, it has been given up: its process is killed, since nothing else is known to end it. */
const abortCompute = (
  { groups }: SenseWorld,
  call: InvocationCall,
  { token }: { readonly token: Offset }
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const sense = idOf(call.stream)
    let isRecorded = false
    const record = call.send({ type: "RecordComputeAborted", token } as SenseCommand).pipe(
      Effect.tap(() => {
        isRecorded = true
      }),
      Effect.ignore,
      // The state that this leads to interrupts this very fiber; whether it was led to must be known all the same.
      Effect.uninterruptible
    )
    return Effect.zipRight(groups.abort(sense, token), record).pipe(
      Effect.ensuring(Effect.suspend(() => (isRecorded ? Effect.void : groups.condemn(sense, token))))
    )
  })
