/** One line of the hub log (contracts: hub 2). No payload, body, prompt or token ever enters it. */
import type { RefusalEntry } from "../actors/RefusalFeed.js"
import type { LogLevel } from "../config/Settings.js"
import { idOf, kindOf, type RecordedEvent, type StreamId } from "../events/Event.js"

/** Fields in the order in which they are written; empty ones are left out. The first ones are those of the old hub's log. */
export interface LogEntry {
  readonly ts: string
  readonly level: LogLevel
  readonly event: "rpc" | "hook" | "lifecycle" | "error"
  readonly rpc?: string | undefined
  readonly agent?: string | undefined
  readonly task?: string | undefined
  readonly took_ms?: number | undefined
  readonly err?: string | undefined
  readonly msg?: string | undefined
  /** Without it the line is of something that is not in the journal. */
  readonly offset?: number | undefined
  readonly stream?: string | undefined
  readonly type?: string | undefined
  readonly boot?: string | undefined
  readonly command_id?: string | undefined
}

/** What is known of a command of this boot besides its events. */
export interface AnsweredCommand {
  readonly command: string
  readonly tookMs: number
}

const maxMessage = 2_048

/** The line of a recorded event. `answered` is what this boot knows of the command that led to it. */
export const eventEntry = (
  event: RecordedEvent,
  boot: string | undefined,
  answered: AnsweredCommand | undefined
): LogEntry => {
  const { at, stream, type, by, offset, commandId } = event
  const isCaller = !isOwn(by)
  const kind = isCaller ? ({ level: "INFO", event: "rpc" } as const) : gravity(event)
  return {
    ts: new Date(at).toISOString(),
    ...kind,
    rpc: isCaller && answered ? `${kindOf(stream)}.${answered.command}` : undefined,
    agent: isCaller ? by : "system",
    task: taskOf(stream),
    took_ms: answered?.tookMs,
    msg: kind.level === "ERROR" ? textOf(event.data.message) : undefined,
    offset,
    stream,
    type,
    boot,
    command_id: commandId
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

/** The line of a command that was refused. */
export const refusalEntry = (refusal: RefusalEntry, boot: string): LogEntry => ({
  ts: new Date(refusal.at).toISOString(),
  level: "INFO",
  event: "rpc",
  rpc: `${refusal.kind}.${refusal.command}`,
  agent: isOwn(refusal.by) ? "system" : refusal.by,
  task: refusal.stream === undefined ? undefined : taskOf(refusal.stream as StreamId),
  took_ms: refusal.tookMs,
  err: refusal.reason._tag,
  stream: refusal.stream,
  boot,
  command_id: refusal.commandId
})

/** Its JSON, with what could break a line or a terminal escaped. */
export const encodeEntry = ({ msg, ...entry }: LogEntry): string => {
  const { offset, stream, type, boot, command_id, ...compatible } = entry
  return JSON.stringify({
    ...compatible,
    msg: msg?.slice(0, maxMessage),
    offset,
    stream,
    type,
    boot,
    command_id
  })
}

/** What happened to events that the hub itself caused: how grave it is. */
const gravity = ({ type, data, commandId }: RecordedEvent): Pick<LogEntry, "level" | "event"> => {
  // A whole ledger moves in: one line says what came of it, and the log's history is not pushed out by the rest.
  if (commandId.startsWith("import:") && type !== "LedgerImported")
    return { level: "DEBUG", event: "lifecycle" }
  if (errors.has(type) || (type === "ComponentDegraded" && data.status === "failing")) {
    return { level: "ERROR", event: "error" }
  }
  if (failures.has(type)) return { level: "ERROR", event: "lifecycle" }
  const isWarning = warnings.has(type) || /(Lost|Crashed|Rejected)$/.test(type)
  return { level: isWarning ? "WARN" : "INFO", event: "lifecycle" }
}

const errors: ReadonlySet<string> = new Set([
  "DefectRecorded",
  "ProjectionDiverged",
  "BlobCorruptionDetected"
])
const failures: ReadonlySet<string> = new Set(["HubDrainCutShort", "HubStartFailed"])
const warnings: ReadonlySet<string> = new Set([
  "HubLossDetected",
  "HubPortReassigned",
  "ClaimExpired",
  "ClockJumpDetected",
  "ComponentDegraded"
])

/** Whether the hub itself acted: a deadline, a running invocation, its own housekeeping. */
const isOwn = (by: string): boolean => by === "hub" || by === "deadline" || by.startsWith("invocation:")

const tasks: ReadonlySet<string> = new Set(["claim", "run"])
const taskOf = (stream: StreamId): string | undefined =>
  tasks.has(kindOf(stream)) ? idOf(stream) : undefined
