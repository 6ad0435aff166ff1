/**
 * What is wrong with the hub, from its own events: one row a reason, with since-when and until-when it counts (contracts: hub 2).
 * What only a running process can know, such as a journal that takes no writes now, is added where health is asked.
 */
import { dataOf, makeStreamId, type RecordedEvent } from "../events/Event.js"
import type { Projection, Row } from "./Projection.js"
import { clearedBySense, raisedBySense } from "./senseHealth.js"
import {
  clearedByWorkflow,
  raisedByWorkflow,
  streamOfReason,
  component as workflows
} from "./workflowHealth.js"

const minuteMs = 60_000

export interface Raised {
  readonly component: string
  readonly reason: string
  readonly subject: string
  readonly status: "degraded" | "failing"
  /** How long it counts after its event; undefined until it is cleared. */
  readonly forMs?: number
  readonly detail: string
}

export const keyOf = ({
  component,
  reason,
  subject
}: Pick<Raised, "component" | "reason" | "subject">): string => `${component}/${reason}/${subject}`

const quarantined = { component: "actors", reason: "quarantined", subject: "" }

/** The reason that an event raises. */
const raised = (event: RecordedEvent): Raised | undefined => {
  const { type, data, stream } = event
  if (stream !== "hub") return raisedBySense(event) ?? raisedByWorkflow(event)
  switch (type) {
    case "ConfigRejected": {
      const errors = data.errors as ReadonlyArray<unknown>
      const detail = `${errors.length} errors; the configuration before it stays: mound validate`
      return { component: "config", reason: "rejected", subject: "", status: "degraded", detail }
    }
    case "HubLossDetected": {
      const detail = `the boot before this one ended without a stop, after offset ${data.lastOffset}`
      return {
        component: "hub",
        reason: "lost",
        subject: "",
        status: "degraded",
        forMs: 10 * minuteMs,
        detail
      }
    }
    case "ClockJumpDetected": {
      const detail = `the clock jumped: wall ${data.wallMs} ms, monotonic ${data.monotonicMs} ms`
      return {
        component: "clock",
        reason: "jumped",
        subject: "",
        status: "degraded",
        forMs: 10 * minuteMs,
        detail
      }
    }
    case "DefectRecorded": {
      const subject = String(data.stream ?? "")
      const detail = `${data.where}: ${data.message}`
      return {
        component: "actors",
        reason: "defect",
        subject,
        status: "degraded",
        forMs: 60 * minuteMs,
        detail
      }
    }
    case "HubReady": {
      const streams = data.quarantined as ReadonlyArray<{ readonly stream: string; readonly offset: number }>
      if (streams.length === 0) return undefined
      const detail = streams.map(({ stream, offset }) => `${stream} at offset ${offset}`).join(", ")
      return { ...quarantined, status: "degraded", detail }
    }
    case "ComponentDegraded": {
      const { component, reason, subject, status, value, limit } = data
      const detail = `${value} is beyond the limit of ${limit}`
      return { component, reason, subject, status, detail } as Raised
    }
    case "ProjectionDiverged": {
      const detail = `live digest ${data.liveDigest}, rebuilt ${data.rebuiltDigest}`
      return {
        component: "projections",
        reason: "diverged",
        subject: String(data.name),
        status: "failing",
        detail
      }
    }
    default:
      return undefined
  }
}

/** Keys of the reasons that an event may raise or clear. */
const keysOf = (event: RecordedEvent): ReadonlyArray<string> => {
  const reason = raised(event)
  const cleared = [...clearedBySense(event), ...clearedByWorkflow(event)]
  if (reason || cleared.length > 0) return [...(reason ? [reason] : []), ...cleared].map(keyOf)
  if (event.type === "ConfigLoaded" || event.type === "ConfigReloaded") {
    return [keyOf({ component: "config", reason: "rejected", subject: "" })]
  }
  if (event.type === "HubReady") return [keyOf(quarantined)]
  if (event.type === "ComponentRecovered") return [keyOf(dataOf<Raised>(event))]
  if (event.type === "ProjectionRebuilt") {
    return [keyOf({ component: "projections", reason: "diverged", subject: String(event.data.name) })]
  }
  return []
}

export const health: Projection = {
  name: "health",
  version: 3,
  columns: {
    key: "TEXT",
    component: "TEXT",
    reason: "TEXT",
    subject: "TEXT",
    status: "TEXT",
    since: "INTEGER",
    offset: "INTEGER",
    expires_at: "INTEGER",
    detail: "TEXT"
  },
  indexes: [],
  keys: keysOf,
  streamOf: (key) => {
    const [component, reason = "", subject = ""] = key.split("/")
    if (component === workflows) return streamOfReason(reason, subject)
    return component === "senses" ? makeStreamId("sense", subject) : makeStreamId("hub", "")
  },
  reduce: (row, event, key): Row | undefined => {
    const reason = raised(event)
    if (!reason || keyOf(reason) !== key) return undefined
    const { forMs, ...fields } = reason
    const stillRaised = row && (row.expires_at === null || (row.expires_at as number) > event.at)
    return {
      key,
      ...fields,
      since: stillRaised ? (row.since as number) : event.at,
      offset: event.offset,
      expires_at: forMs === undefined ? null : event.at + forMs
    }
  }
}
