/** The routes of the hub itself: health, stop, rebuild, sweep, and pages of the journal (contracts: hub 5). */
import { Effect } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { ClaimKind } from "../actors/claim/claimKind.js"
import type { SweepResult } from "../actors/claim/sweep.js"
import type { ImportReport } from "../actors/hub/HubEvent.js"
import type { HubKind, HubState } from "../actors/hub/hubKind.js"
import type { PresenceIndex } from "../actors/presence/PresenceIndex.js"
import type { Refused } from "../actors/Refused.js"
import type { RunKind } from "../actors/run/runKind.js"
import type { Offset, StreamId } from "../events/Event.js"
import type { JournalUnavailable } from "../events/Journal.js"
import type { Segment } from "../events/Segment.js"
import type { Rebuilt } from "../events/Writer.js"
import { type Clockwork, momentOf } from "./asOf.js"
import { type HealthServices, healthMoments, healthOf, statusNow } from "./healthOf.js"
import { byOf } from "./Identities.js"
import { type AnyReason, refusal } from "./refusals.js"
import type { CallFailure, Handlers } from "./serve.js"
import { statusOf } from "./statusOf.js"

export interface HubServices extends Clockwork {
  readonly system: ActorSystem["Type"]
  readonly claimKind: ClaimKind
  readonly runKind: RunKind
  readonly hubKind: HubKind
  readonly presences: PresenceIndex
  /** The hub's own state as of its newest committed event. */
  readonly hub: () => HubState
  readonly workspace: string
  readonly logLevel: string
  readonly logOutage: () => { readonly since: number; readonly detail: string } | undefined
  readonly auditOutage: HealthServices["auditOutage"]
  readonly sweepOutage: HealthServices["sweepOutage"]
  readonly stillWritten: HealthServices["stillWritten"]
  readonly importLedger: (
    path: string,
    isDryRun: boolean,
    by: string
  ) => Effect.Effect<ImportReport, Refused<AnyReason> | JournalUnavailable>
  /** Connections that follow a stream. */
  readonly followers: () => number
  readonly sweep: (options: {
    readonly floor: number | undefined
    readonly dryRun: boolean
    readonly by: string
  }) => Effect.Effect<SweepResult, Refused<AnyReason> | JournalUnavailable>
  /** `before` in ms; without it what the settings say. */
  readonly archive: (options: {
    readonly before: number | undefined
    readonly vacuum: boolean
    readonly by: string
  }) => Effect.Effect<{ readonly segments: ReadonlyArray<Segment>; readonly freedBytes: number }, CallFailure>
  readonly rebuild: (name: string, by: string) => Effect.Effect<Rebuilt, CallFailure>
}

type HubHandlers = Pick<
  Handlers,
  "sweep" | "importLedger" | "journal" | "health" | "hub" | "stop" | "rebuild" | "recordBackup" | "archive"
>

const defaultPage = 100

export const makeHubHandlers = (services: HubServices): HubHandlers => {
  const { system, journal, hubKind, hub } = services
  return {
    sweep: ({ payload: { floor, dryRun = false }, caller }) =>
      services.sweep({ floor, dryRun, by: byOf(caller) }),
    importLedger: ({ payload: { path, dryRun = false }, caller }) =>
      services.importLedger(path, dryRun, byOf(caller)),
    journal: ({ urlParams: { after = 0, limit = defaultPage, stream } }) =>
      Effect.gen(function* () {
        const head = yield* journal.head
        if (after > head.offset) return yield* refusal({ _tag: "OffsetAhead", head: head.offset })
        const events = yield* journal.read(after as Offset, limit, stream as StreamId | undefined)
        return { head: head.offset, next: events.at(-1)?.offset ?? after, events }
      }),
    health: ({ urlParams: { at } }) =>
      Effect.gen(function* () {
        const moments = yield* healthMoments(services, at)
        const claims = yield* momentOf(services, "claims", at)
        const { name: state, context } = hub()
        return yield* healthOf(services, moments, claims, { state, bootId: context.bootId })
      }).pipe(Effect.scoped),
    hub: () =>
      Effect.gen(function* () {
        const moments = yield* healthMoments(services, undefined)
        return statusOf(services, moments.health, yield* statusNow(services, moments))
      }).pipe(Effect.scoped),
    stop: ({ payload, commandId, caller }) =>
      Effect.map(
        system.send(hubKind, "", { type: "DrainHub", ...payload }, { by: byOf(caller), commandId }),
        ({ state, events }) => {
          const { bootId, deadlineAt } = (state as HubState).context
          const open = events[0]?.data.open as
            | { claims: number; runs: number; invocations: number }
            | undefined
          return {
            bootId: bootId ?? "",
            deadlineAt: deadlineAt ?? 0,
            open: open ?? { claims: 0, runs: 0, invocations: 0 }
          }
        }
      ),
    recordBackup: ({ payload, commandId, caller }) =>
      Effect.gen(function* () {
        const { offset } = yield* journal.head
        if (payload.offset > offset) return yield* refusal({ _tag: "OffsetAhead", head: offset })
        const command = { type: "RecordBackup", ...payload } as const
        const { state } = yield* system.send(hubKind, "", command, { by: byOf(caller), commandId })
        return { offset: state.offset }
      }),
    archive: ({ payload: { before, vacuum = false }, caller }) =>
      Effect.map(
        services.archive({
          before: before === undefined ? undefined : Date.parse(before),
          vacuum,
          by: byOf(caller)
        }),
        ({ segments, freedBytes }) => ({
          segments: segments.map(({ file, fromOffset, toOffset, rows }) => ({
            file,
            fromOffset,
            toOffset,
            rows
          })),
          freedBytes
        })
      ),
    rebuild: ({ path: { name }, caller }) =>
      services.projector.projections.some((projection) => projection.name === name)
        ? services.rebuild(name, byOf(caller))
        : refusal({ _tag: "UnknownProjection", name })
  }
}
