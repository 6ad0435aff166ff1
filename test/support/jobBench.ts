/** An actor system with the test's machine on a journal that fails as it is told to, and words for what becomes of its commands. */
import { it } from "@effect/vitest"
import { Effect, Exit, type Fiber, Layer, TestClock } from "effect"
import type { ActorSystem } from "../../src/actors/ActorSystem.js"
import type { Refused } from "../../src/actors/Refused.js"
import { Journal } from "../../src/events/Journal.js"
import { Faults, faultyJournal } from "./faults.js"
import { type JobCommand, type JobKind, makeJobKind } from "./jobKind.js"
import { offset } from "./stores.js"
import { type BootOptions, boot, memoryJournalFor, turns } from "./systems.js"

type Options = { readonly by?: string; readonly commandId?: string; readonly waitMs?: number }

export interface Bench {
  readonly system: ActorSystem["Type"]
  readonly kind: JobKind & { readonly index: { readonly idle: ReadonlySet<string> } }
  readonly faults: Faults
  /** Commands that were looked at, tentatively or for good. */
  readonly decided: () => number
  readonly defects: ReadonlyArray<unknown>
  /** Sends in the background and lets the command get as far as it can. */
  readonly begin: (
    id: string | undefined,
    command: JobCommand,
    options?: Options
  ) => Effect.Effect<Fiber.Fiber<string>>
  /** What became of a command: the events it led to, or its refusal. */
  readonly ask: (id: string | undefined, command: JobCommand, options?: Options) => Effect.Effect<string>
}

/** The reason of a refusal, or the events of an outcome and the state after them. */
export const tell = (
  exit: Exit.Exit<{ events: ReadonlyArray<{ type: string }>; state: { name: string } }, Refused>
) =>
  Exit.isSuccess(exit)
    ? `${exit.value.events.map(({ type }) => type).join("+") || "nothing"} -> ${exit.value.state.name}`
    : exit.cause._tag === "Fail"
      ? exit.cause.error.reason._tag
      : String(exit.cause)

/** A test on a journal that fails as it is told to. */
export const onFaultyJournal = <E>(
  name: string,
  body: (bench: Bench) => Effect.Effect<void, E, Journal>,
  options: Partial<BootOptions> = {}
) =>
  it.scoped(name, () => {
    const kind = makeJobKind()
    const faults = new Faults()
    return Effect.gen(function* () {
      let decided = 0
      const defects: Array<unknown> = []
      const gate = () => {
        decided += 1
        return undefined
      }
      const system = yield* boot({
        ...options,
        kinds: [kind],
        gate,
        onDefect: (defect) => defects.push(defect)
      })
      const ask: Bench["ask"] = (id, command, { by = "test", ...options } = {}) =>
        Effect.map(Effect.exit(system.send(kind, id, command, { by, ...options })), tell)
      const begin: Bench["begin"] = (id, command, options) =>
        Effect.zipLeft(Effect.fork(ask(id, command, options)), turns)
      yield* body({ system, kind, faults, decided: () => decided, defects, begin, ask })
    }).pipe(Effect.provide(faultyJournal(faults).pipe(Layer.provideMerge(memoryJournalFor([kind])))))
  })

/** Every event so far: its stream and its type. */
export const types = Effect.map(
  Effect.flatMap(Journal, (journal) => journal.read(offset(0), 1_000)),
  (events) => events.map(({ stream, type }) => `${stream} ${type}`)
)

/** Lets the end of an outage come. */
export const resumed = Effect.zipRight(TestClock.adjust(1_000), turns)
