/** Workflows as they are listed: settings, how many of their runs work and wait, and how their worker and circuit are. */
import { idOf, kindOf, makeStreamId, type RecordedEvent } from "../events/Event.js"
import type { Projection, Row } from "./Projection.js"

const empty: Row = {
  name: "",
  state: "",
  settings: "",
  active: 0,
  queued: 0,
  turned_away: 0,
  worker: "absent",
  circuit: "closed",
  worker_id: null,
  hash: null,
  roles: null,
  error: null,
  offset: 0
}

/** `active.worker.up.ready` among the regions of a state's name: `ready`. */
const leafOf = (state: string, region: string): string => {
  const leaf = state.split(",").find((each) => each.startsWith(`active.${region}.`))
  return leaf?.slice(leaf.lastIndexOf(".") + 1) ?? "absent"
}

const more = (row: Row, column: "active" | "queued" | "turned_away", change: 1 | -1): Row => ({
  ...row,
  [column]: (row[column] as number) + change
})

const noWorker = { worker_id: null, roles: null }
const messageOf = (error: unknown): string => (error as { readonly message: string }).message

const next = (row: Row, { type, data }: RecordedEvent): Row => {
  switch (type) {
    case "WorkflowRegistered":
      return { ...empty, settings: JSON.stringify(data.settings) }
    case "WorkflowReconfigured":
      return { ...row, settings: JSON.stringify(data.settings) }
    case "RunAdmitted":
      return more(row, "active", 1)
    case "SlotFreed":
      return more(row, "active", -1)
    case "RunEnqueued":
      return more(row, "queued", 1)
    case "RunDequeued":
      return more(more(row, "queued", -1), "active", 1)
    case "RunEvicted":
    case "RunWithdrawn":
      return more(row, "queued", -1)
    case "RunTurnedAway":
      return more(row, "turned_away", 1)
    case "WorkflowWorkerReady":
      return {
        ...row,
        worker_id: data.workerId as string,
        hash: data.definitionHash as string,
        roles: JSON.stringify(data.roles),
        error: null
      }
    case "WorkflowWorkerLost":
    case "WorkflowWorkerIdled":
      return { ...row, ...noWorker }
    case "WorkflowDrainEnded":
      return { ...row, ...noWorker, error: null }
    case "WorkflowLoadFailed":
    case "WorkflowReloadFailed":
      return { ...row, error: messageOf(data.error) }
    default:
      return row
  }
}

/** A workflow that was removed from the configuration has no row. */
export const workflows: Projection = {
  name: "workflows",
  version: 1,
  columns: {
    name: "TEXT",
    state: "TEXT",
    settings: "TEXT",
    active: "INTEGER",
    queued: "INTEGER",
    turned_away: "INTEGER",
    worker: "TEXT",
    circuit: "TEXT",
    worker_id: "TEXT",
    hash: "TEXT",
    roles: "TEXT",
    error: "TEXT",
    offset: "INTEGER"
  },
  indexes: [],
  keys: ({ stream }) => (kindOf(stream) === "workflow" ? [idOf(stream)] : []),
  streamOf: (key) => makeStreamId("workflow", key),
  reduce: (row, event, key) => {
    const { state, offset } = event
    if (state === "absent") return undefined
    return {
      ...next(row ?? empty, event),
      name: key,
      state: leafOf(state, "admission"),
      worker: leafOf(state, "worker"),
      circuit: leafOf(state, "circuit"),
      offset
    }
  }
}
