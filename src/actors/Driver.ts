/**
 * Turns what a machine says into what runs: each invocation of an actor's state is one fiber, forked after the commit that
 * entered the state and interrupted when it is left.
 */
import { Cause, Effect, Fiber, FiberId, Runtime, type Scope } from "effect"
import type { StreamId } from "../events/Event.js"
import type { ActorKind, CommandShape } from "./ActorKind.js"
import type { Outcome } from "./CommandQueue.js"
import type { ActorState, Invocation } from "./fold.js"
import type { Refused } from "./Refused.js"

export interface DriverOptions {
  readonly send: (
    kind: ActorKind,
    stream: StreamId,
    invocation: Invocation,
    command: CommandShape
  ) => Effect.Effect<Outcome, Refused>
  /** Reports a fiber that died, besides the event that its kind makes of it. */
  readonly onDefect: (stream: StreamId, cause: Cause.Cause<never>) => void
}

interface Running {
  readonly invocation: Invocation
  readonly fiber: Fiber.RuntimeFiber<void>
}

export interface RunningInvocation {
  readonly stream: StreamId
  readonly src: string
}

export interface Driver {
  /** Starts and interrupts fibers so that exactly the invocations of this state run. Returns at once. */
  readonly update: (kind: ActorKind, state: ActorState) => void
  /** The invocations that do something, or are still being interrupted; those that stand are left out. */
  readonly running: () => ReadonlyArray<RunningInvocation>
  /** Interrupts everything, except one stream's, and waits for the finalizers. */
  readonly interruptAll: (except?: StreamId) => Effect.Effect<void>
}

/** Fibers live in the scope: closing it interrupts them all. */
export const makeDriver = (options: DriverOptions): Effect.Effect<Driver, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const fork = Runtime.runFork(yield* Effect.runtime<never>())
    const runningOf = new Map<StreamId, ReadonlyArray<Running>>()
    const alive = new Map<Fiber.RuntimeFiber<void>, RunningInvocation>()

    const start = (
      kind: ActorKind,
      stream: StreamId,
      invocation: Invocation,
      previous?: Running
    ): Running => {
      const body = attempt(options, kind, stream, invocation)
      // The same id entered anew: the old fiber's finalizers come first, or two would hold one resource.
      const inTurn = previous ? Effect.zipRight(Fiber.await(previous.fiber), body) : body
      const fiber = fork(inTurn, { scope, immediate: false })
      const { src } = invocation
      if (!kind.invocations?.[src]?.isStanding) {
        alive.set(fiber, { stream, src })
        fiber.addObserver(() => alive.delete(fiber))
      }
      return { invocation, fiber }
    }

    return {
      update: (kind, { stream, invocations }) => {
        const before = runningOf.get(stream) ?? []
        if (before.length === 0 && invocations.length === 0) return
        const after = invocations.map((invocation) => {
          const previous = before.find((running) => running.invocation.id === invocation.id)
          return previous?.invocation.since === invocation.since
            ? previous
            : start(kind, stream, invocation, previous)
        })
        for (const running of before) {
          if (!after.includes(running)) running.fiber.unsafeInterruptAsFork(FiberId.none)
        }
        if (after.length > 0) runningOf.set(stream, after)
        else runningOf.delete(stream)
      },
      running: () => [...alive.values()],
      interruptAll: (except) =>
        Effect.suspend(() => {
          const stopping = [...runningOf].filter(([stream]) => stream !== except)
          for (const [stream] of stopping) runningOf.delete(stream)
          return Fiber.interruptAll(stopping.flatMap(([, running]) => running.map(({ fiber }) => fiber)))
        })
    }
  })

const attempt = (
  { send, onDefect }: DriverOptions,
  kind: ActorKind,
  stream: StreamId,
  invocation: Invocation
): Effect.Effect<void> => {
  const definition = kind.invocations?.[invocation.src]
  if (!definition) return Effect.dieMessage(`${kind.name} has no invocation ${invocation.src}`)
  return definition
    .run({
      stream,
      invocation,
      idempotencyKey: `${stream}@${invocation.since}`,
      send: (command) => send(kind, stream, invocation, command)
    })
    .pipe(
      Effect.catchAllCause((cause) => {
        if (Cause.isInterruptedOnly(cause)) return Effect.failCause(cause)
        onDefect(stream, cause)
        return Effect.ignore(send(kind, stream, invocation, definition.lost(cause, invocation)))
      })
    )
}
