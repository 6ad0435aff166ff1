/** The read model `senses`: one row a sense, with how it is configured and how it does. */
import { idOf, kindOf, makeStreamId, type RecordedEvent } from "../events/Event.js"
import type { Projection, Row } from "./Projection.js"

const empty: Row = {
  name: "",
  group: "",
  state: "absent",
  module: null,
  circuit: null,
  last_start_at: null,
  last_outcome: null,
  last_signal_offset: null,
  last_error: null,
  due_at: null,
  failures: 0,
  computes: 0,
  signals: 0,
  settings: "{}",
  worker_id: null,
  circuit_until: null,
  version: 0,
  offset: 0
}

/** The state's three regions as columns; an absent sense has none. */
const regions = (state: string): Row => {
  const [, schedule, module, circuit] =
    /^active\.schedule\.(\w+),active\.module\.(\w+),active\.circuit\.(\w+)$/.exec(state) ?? []
  return { state: schedule ?? "absent", module: module ?? null, circuit: circuit ?? null }
}

const next = (row: Row, { type, data, at, offset }: RecordedEvent): Row => {
  switch (type) {
    case "SenseRegistered":
    case "SenseReconfigured":
      return { ...row, group: data.group as string, settings: JSON.stringify(data) }
    case "SenseRemoved":
      return { ...row, due_at: null, worker_id: null, last_error: null }
    case "SenseTriggered":
      return { ...row, due_at: row.due_at ?? (data.dueAt as number) }
    case "SenseComputeStarted":
      return {
        ...row,
        due_at: null,
        last_start_at: at,
        computes: (row.computes as number) + 1
      }
    case "SenseComputeCompleted":
      return { ...row, last_outcome: data.outcome as string, failures: 0, last_error: null }
    case "SenseComputeFailed":
      return {
        ...row,
        last_outcome: "failed",
        failures: data.failures as number,
        last_error: data.error as string
      }
    case "SenseComputeTimedOut":
      return {
        ...row,
        last_outcome: "timed_out",
        failures: data.failures as number,
        last_error: "its time was over"
      }
    case "SenseComputeAbandoned":
      return { ...row, last_outcome: "abandoned" }
    case "SignalEmitted":
      return { ...row, last_signal_offset: offset, signals: data.sequence as number }
    case "SenseLoaded":
      return { ...row, worker_id: data.workerId as string, last_error: null }
    case "SenseLoadFailed":
      return { ...row, worker_id: null, last_error: data.error as string }
    case "SenseReloading":
    case "SenseWorkerLost":
    case "SenseArmed":
      return { ...row, worker_id: null }
    case "SenseCircuitOpened":
      return { ...row, circuit_until: at + circuitOpenMs }
    case "SenseCircuitHalfOpened":
    case "SenseCircuitClosed":
      return { ...row, circuit_until: null }
    default:
      return row
  }
}

/** contracts: senses and workflows 3.1 */
const circuitOpenMs = 300_000

export const senses: Projection = {
  name: "senses",
  version: 1,
  columns: {
    name: "TEXT",
    group: "TEXT",
    state: "TEXT",
    module: "TEXT",
    circuit: "TEXT",
    last_start_at: "INTEGER",
    last_outcome: "TEXT",
    last_signal_offset: "INTEGER",
    last_error: "TEXT",
    due_at: "INTEGER",
    failures: "INTEGER",
    computes: "INTEGER",
    signals: "INTEGER",
    settings: "TEXT",
    worker_id: "TEXT",
    circuit_until: "INTEGER",
    version: "INTEGER",
    offset: "INTEGER"
  },
  indexes: [],
  keys: (event) => (kindOf(event.stream) === "sense" ? [idOf(event.stream)] : []),
  streamOf: (key) => makeStreamId("sense", key),
  reduce: (row, event, key) => ({
    ...next(row ?? empty, event),
    ...regions(event.state),
    name: key,
    version: event.version,
    offset: event.offset
  })
}
