/** The section `workflows`: how many runs at a time, what becomes of the others, and how long anything may take. */
import { checkName, durationMs, integer, limits, oneOf } from "./values.js"
import type { WorkflowConfig } from "./WorkspaceConfig.js"
import type { Place, YamlReader } from "./YamlReader.js"

const maxWorkflows = 200
const defaultQueue = 100
const minuteMs = 60_000
const keys = [
  "concurrency",
  "overflow",
  "max_queue",
  "timeout",
  "role_timeout",
  "drain_timeout",
  "on_reload"
] as const

export const readWorkflows = (
  reader: YamlReader,
  section: Place | undefined
): ReadonlyArray<WorkflowConfig> => {
  const entries = section ? reader.entries(section) : []
  if (section && entries.length > maxWorkflows) {
    reader.error(section, "out_of_range", `has over ${maxWorkflows} workflows`)
  }
  return entries.flatMap(([name, place]) =>
    checkName(reader, place, name) ? [readWorkflow(reader, name, place)] : []
  )
}

const readWorkflow = (reader: YamlReader, name: string, place: Place): WorkflowConfig => {
  const given = reader.fields(place, keys)
  const overflow = given.overflow ? oneOf(reader, given.overflow, ["drop", "queue"]) : "drop"
  if (given.max_queue && overflow === "drop") {
    const message = "a workflow that drops has no queue"
    reader.error(given.max_queue, "queue_option_without_queue", message, "overflow: queue")
  }
  return {
    name,
    concurrency: (given.concurrency && integer(reader, given.concurrency, 1, 64)) ?? 1,
    overflow: overflow ?? "drop",
    maxQueue:
      (given.max_queue && overflow === "queue" ? integer(reader, given.max_queue, 1, 10_000) : undefined) ??
      defaultQueue,
    timeoutMs: (given.timeout && durationMs(reader, given.timeout, limits.month)) ?? 24 * limits.hour,
    roleTimeoutMs: (given.role_timeout && durationMs(reader, given.role_timeout, limits.week)) ?? limits.hour,
    drainTimeoutMs:
      (given.drain_timeout && durationMs(reader, given.drain_timeout, 10 * minuteMs, 1_000)) ?? minuteMs / 2,
    onReload: (given.on_reload && oneOf(reader, given.on_reload, ["interrupt", "resume"])) ?? "interrupt"
  }
}
