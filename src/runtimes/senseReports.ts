/** What a group's process reports, as the hub goes on with it. */
import type { SenseCommand } from "../actors/sense/SenseCommand.js"
import type { ComputeReport } from "./SenseGroups.js"
import type { FromSenseWorker } from "./senseProtocol.js"
import type { Worker } from "./Worker.js"

export type LoadReport = Extract<FromSenseWorker, { readonly type: "Loaded" | "LoadFailed" }>

export const toReport = (
  message: Extract<FromSenseWorker, { readonly type: "Answered" | "Failed" }>
): ComputeReport => {
  const { durationMs } = message
  return message.type === "Failed"
    ? { _tag: "Failed", error: message.error, durationMs }
    : {
        _tag: "Answered",
        answer: message.answer,
        durationMs,
        ...(Object.hasOwn(message, "state") && { state: message.state })
      }
}

export const toLoadCommand = (
  { workerId, pid, pidStartedAt }: Pick<Worker<never, never>, "workerId" | "pid" | "pidStartedAt">,
  report: LoadReport
): SenseCommand =>
  report.type === "Loaded"
    ? {
        type: "RecordSenseLoad",
        loaded: { workerId, pid, pidStartedAt, hash: report.hash, migrations: report.migrations }
      }
    : { type: "RecordSenseLoad", error: report.error }
