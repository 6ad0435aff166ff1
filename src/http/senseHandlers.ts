/** The routes of senses: commands to the kind, and queries to its projections (contracts: senses and workflows 5). */
import { Effect, Option, Stream } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { SenseKind, SenseState } from "../actors/sense/decideSense.js"
import type { Offset, RecordedEvent, StreamId } from "../events/Event.js"
import { follow } from "../events/Journal.js"
import {
  findSense,
  listSenses,
  listSignals,
  type StoredSense,
  type StoredSignal
} from "../projections/senseQueries.js"
import type { Clockwork } from "./asOf.js"
import { causalDepth } from "./causalDepth.js"
import { byOf } from "./Identities.js"
import { refusal } from "./refusals.js"
import type { SenseRow } from "./senseApi.js"
import { type CallFailure, type Handlers, WithStatus } from "./serve.js"

export interface SenseServices extends Clockwork {
  readonly system: ActorSystem["Type"]
  readonly kind: SenseKind
  /** Loads code anew that was broken. */
  readonly reload: (sense: string) => Effect.Effect<void>
  readonly config: () => unknown
  readonly reloadConfig: (by: string) => Effect.Effect<
    {
      readonly hash: string
      readonly added: ReadonlyArray<string>
      readonly removed: ReadonlyArray<string>
      readonly changed: ReadonlyArray<string>
    },
    CallFailure
  >
}

type SenseHandlers = Pick<
  Handlers,
  "senses" | "sense" | "triggerSense" | "resetSense" | "signals" | "config" | "reloadConfig"
>

const defaultPage = 50

export const makeSenseHandlers = (services: SenseServices): SenseHandlers => {
  const { system, kind, journal, projector } = services
  return {
    senses: () =>
      Effect.gen(function* () {
        const { offset } = yield* journal.head
        return { offset, rows: (yield* listSenses(projector.read)).map(toRow) }
      }),
    sense: ({ path: { name } }) =>
      Effect.flatMap(findSense(projector.read, name), (row) =>
        row ? Effect.succeed(toRow(row)) : refusal({ _tag: "UnknownSense", name })
      ),
    triggerSense: ({ path: { name }, urlParams: { wait = 0 }, commandId, header, caller }) =>
      Effect.gen(function* () {
        const depth = yield* causalDepth(projector.read, header("mound-cause"))
        const command = { type: "TriggerSense", cause: { kind: "manual" }, depth } as const
        const { events, state } = yield* system.send(kind, name, command, { by: byOf(caller), commandId })
        const triggered = events[0] as RecordedEvent
        if (wait > 0) {
          const ended = yield* Effect.timeoutOption(awaitEnd(services, triggered), wait)
          if (Option.isSome(ended) && ended.value) return ended.value
        }
        const { causes, dirty } = (state as SenseState).context
        const dueAt = triggered.data.dueAt as number
        const coalesced = causes.length + dirty.length > 1
        return new WithStatus(202, { offset: triggered.offset, dueAt, coalesced })
      }),
    resetSense: ({ path: { name }, commandId, caller }) =>
      Effect.gen(function* () {
        const { state } = yield* system.send(
          kind,
          name,
          { type: "ResetSense" },
          { by: byOf(caller), commandId }
        )
        if ((state as SenseState).name.includes("module.broken")) yield* services.reload(name)
        return { state: state.name, offset: state.offset }
      }),
    signals: ({ urlParams: { sense, limit = defaultPage, cursor } }) =>
      Effect.gen(function* () {
        const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(cursor)
        if (!Number.isSafeInteger(before) || before < 0) {
          return yield* refusal({
            _tag: "InvalidCommand",
            path: "cursor",
            problem: "must be one that a page named"
          })
        }
        const { offset } = yield* journal.head
        const rows = yield* listSignals(projector.read, { sense, before, limit })
        const last = rows.at(-1)
        return {
          offset,
          rows: rows.map(toSignal),
          next: rows.length === limit && last ? String(last.offset) : null
        }
      }),
    config: () => Effect.sync(services.config),
    reloadConfig: ({ caller }) => services.reloadConfig(byOf(caller))
  }
}

/** How the compute ends that answers to a trigger: the first one that starts after it, or with it. */
const awaitEnd = ({ journal }: SenseServices, triggered: RecordedEvent) => {
  let token: Offset | undefined
  let result: RecordedEvent | undefined
  return follow(journal, (triggered.offset - 1) as Offset).pipe(
    Stream.filter(({ stream }) => stream === (triggered.stream as StreamId)),
    Stream.mapConcat((event) => {
      if (event.type === "SenseComputeStarted") token = event.offset
      if (token === undefined) return []
      if (event.type === "SenseWorkerLost" || event.type === "SenseArmed") token = undefined
      if (!ends.has(event.type) || event.data.token !== token) return result ? [toEnd(result, event)] : []
      const { outcome } = event.data as { readonly outcome?: string }
      const isFollowed = outcome === "signal" || outcome === "launch" || outcome === "rejected"
      // What it led to is the next event of the same batch.
      if (isFollowed) result = event
      return isFollowed ? [] : [toEnd(event, undefined)]
    }),
    Stream.runHead,
    Effect.map(Option.getOrUndefined)
  )
}

const ends: ReadonlySet<string> = new Set([
  "SenseComputeCompleted",
  "SenseComputeFailed",
  "SenseComputeTimedOut"
])

const toEnd = ({ type, data, offset }: RecordedEvent, next: RecordedEvent | undefined) => {
  switch (type) {
    case "SenseComputeFailed":
      return { outcome: "failed", error: String(data.error), offset }
    case "SenseComputeTimedOut":
      return { outcome: "timed_out", error: "its time was over", offset }
    default: {
      const outcome = String(data.outcome)
      if (next?.type === "SignalEmitted") return { outcome, payload: next.data.payload, offset: next.offset }
      if (next?.type === "SenseLaunched") {
        return { outcome, workflow: String(next.data.workflow), offset: next.offset }
      }
      const error =
        next?.type === "SenseDirectiveRejected" ? { error: `${next.data.reason}: ${next.data.text}` } : {}
      return { outcome, ...error, offset }
    }
  }
}

const toRow = (row: StoredSense): SenseRow => ({
  name: row.name,
  group: row.group,
  state: row.state,
  module: row.module,
  circuit: row.circuit,
  lastStartAt: row.last_start_at,
  lastOutcome: row.last_outcome,
  lastSignalOffset: row.last_signal_offset,
  lastError: row.last_error,
  dueAt: row.due_at,
  failures: row.failures,
  computes: row.computes,
  signals: row.signals,
  settings: JSON.parse(row.settings),
  offset: row.offset
})

const toSignal = ({ sense, offset, at, payload, depth }: StoredSignal) => ({
  sense,
  offset,
  at,
  payload: JSON.parse(payload) as unknown,
  depth
})
