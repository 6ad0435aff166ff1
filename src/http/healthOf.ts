/** One answer to "how is it": what the journal says is wrong, and what only the running process can know (contracts: hub 2). */
import { Effect } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { ClaimKind } from "../actors/claim/claimKind.js"
import type { JournalUnavailable } from "../events/Journal.js"
import { countByState, countForeverSince, oldestOpen } from "../projections/claimQueries.js"
import { healthRows, type StoredHealth } from "../projections/healthQueries.js"
import { peersHealth } from "../projections/peersHealth.js"
import type { Health } from "./api.js"
import { type Clockwork, type Moment, momentOf } from "./asOf.js"

export interface HealthServices {
  readonly system: ActorSystem["Type"]
  readonly claimKind: ClaimKind
  /** What keeps the hub log from being written, if anything does. */
  readonly logOutage: () => { readonly since: number; readonly detail: string } | undefined
  /** The same of the audit log. */
  readonly auditOutage: HealthServices["logOutage"]
  /** Why the scheduled sweeps fail, if they do. */
  readonly sweepOutage: HealthServices["logOutage"]
  /** Old ledgers that were imported and are written all the same. */
  readonly stillWritten: () => ReadonlyArray<{ readonly path: string; readonly since: number }>
}

const dayMs = 86_400_000
const severity = { ok: 0, degraded: 1, failing: 2 } as const
type Status = keyof typeof severity

/** One moment in each of the projections that health is read from; they may be different stores. */
export interface HealthMoments {
  readonly health: Moment
  readonly registry: Moment
  readonly messages: Moment
}

export const healthMoments = (clockwork: Clockwork, at: string | undefined) =>
  Effect.all({
    health: momentOf(clockwork, "health", at),
    registry: momentOf(clockwork, "registry", at),
    messages: momentOf(clockwork, "messages", at)
  })

/** Health at a moment. The ledger's counts are those of the same moment. */
export const healthOf = (
  services: HealthServices,
  moments: HealthMoments,
  claims: Moment,
  hub: { readonly state: string; readonly bootId: string | null }
): Effect.Effect<Health, JournalUnavailable> =>
  Effect.gen(function* () {
    const { offset, now, isPast } = moments.health
    const rows = yield* rowsAt(services, moments)
    const counts = isPast ? yield* countByState(claims.read) : services.claimKind.index.counts
    return {
      offset,
      at: now,
      ...hub,
      status: worst(rows),
      components: componentsOf(rows),
      ledger: {
        counts: Object.fromEntries(counts),
        foreverOverDay: yield* countForeverSince(claims.read, now - dayMs),
        oldestOpenAt: yield* oldestOpen(claims.read)
      }
    }
  })

/** How the hub is now, in a word. */
export const statusNow = (
  services: HealthServices,
  moments: HealthMoments
): Effect.Effect<Status, JournalUnavailable> => Effect.map(rowsAt(services, moments), worst)

const rowsAt = (services: HealthServices, { health, registry, messages }: HealthMoments) =>
  Effect.gen(function* () {
    const { read, now, isPast } = health
    const recorded = yield* healthRows(read, now)
    const ofPeers = yield* peersHealth(registry.read, messages.read, now)
    return [...recorded, ...ofPeers, ...(isPast ? [] : raisedNow(services, now))]
  })

/** What is true of this process now and in no event yet. */
const raisedNow = (
  { system, logOutage, auditOutage, sweepOutage, stillWritten }: HealthServices,
  now: number
): ReadonlyArray<StoredHealth> => {
  const outage = system.outage()
  const refused = outage && {
    component: "journal",
    reason: "write_refused",
    subject: "",
    status: "failing",
    since: outage.since,
    offset: null,
    detail: `${outage.reason}: ${outage.detail}; ${outage.refused} commands refused since`
  }
  const quarantined = system.quarantined().map(({ stream, offset, problem }) => ({
    component: "actors",
    reason: "quarantined",
    subject: stream,
    status: "degraded",
    since: now,
    offset,
    detail: problem
  }))
  const oldLedgers = stillWritten().map(({ path, since }) => ({
    component: "ledger",
    reason: "still_written",
    subject: path,
    status: "degraded",
    since,
    offset: null,
    detail: `old ledger still written: end its server, then mound ledger import ${path}`
  }))
  const sweeps = sweepOutage()
  const unswept = sweeps && {
    component: "ledger",
    reason: "sweep_failed",
    subject: "",
    status: "degraded",
    offset: null,
    ...sweeps
  }
  const exporters = [
    { subject: "hub.log", outage: logOutage() },
    { subject: "audit", outage: auditOutage() }
  ].flatMap(({ subject, outage: unwritten }) =>
    unwritten
      ? [
          {
            component: "exporters",
            reason: "write_failed",
            subject,
            status: "degraded",
            offset: null,
            ...unwritten
          }
        ]
      : []
  )
  return [
    ...(refused ? [refused] : []),
    ...quarantined,
    ...oldLedgers,
    ...(unswept ? [unswept] : []),
    ...exporters
  ]
}

const componentsOf = (rows: ReadonlyArray<StoredHealth>): Health["components"] => {
  const components = [...new Set(rows.map(({ component }) => component))].sort()
  return components.map((component) => {
    const own = rows.filter((row) => row.component === component)
    const reasons = own.map(({ component: _, ...reason }) => reason)
    return { component, status: worst(own), reasons }
  })
}

const worst = (rows: ReadonlyArray<StoredHealth>): Status =>
  rows.reduce<Status>((status, row) => {
    const other = row.status as Status
    return severity[other] > severity[status] ? other : status
  }, "ok")
