/** A run's events as lines for somebody who watches it. */
import { localTime } from "./output.js"

interface Shown {
  readonly at: number
  readonly type: string
  readonly data: unknown
}

type Data = { readonly [field: string]: unknown }

/** What an event means for who watches; undefined for what follows from the line before it. */
export const runLine = ({ at, type, data }: Shown): string | undefined => {
  const said = words(type, data as Data)
  return said === undefined ? undefined : `${localTime(at)}  ${said}`
}

const words = (type: string, data: Data): string | undefined => {
  const { round, attempt, role, reason } = data
  const messageOf = (error: unknown) => (error as { readonly message: string } | undefined)?.message ?? ""
  switch (type) {
    case "RunRequested":
      return `requested: ${data.prompt}`
    case "RunQueued":
      return "queued"
    case "RunStarted":
      return "started"
    case "RoleSelected":
      return `#${round} ${role}`
    case "RoleAttemptStarted":
      return Number(attempt) > 1 ? `#${round} attempt ${attempt}` : undefined
    case "RoleOffered":
      return `#${round} offered as ${data.claim}`
    case "RoleClaimed":
      return `claimed by ${data.peer}`
    case "RoleStepRecorded":
      return `#${round} ${role} done in ${data.durationMs} ms${data.recoveredFrom ? ` (from ${data.recoveredFrom})` : ""}`
    case "RoleAttemptFailed":
      return `#${round} failed: ${messageOf(data.error)}${data.retryInMs === null ? "" : `; again in ${data.retryInMs} ms`}`
    case "RoleAttemptAbandoned":
      return `#${round} attempt ${attempt} abandoned: ${reason}`
    case "RunSuspended":
      return `suspended: ${reason}`
    case "RunHeld":
      return "held: nobody knows what the last attempt did; mound workflow resume"
    case "RunResumed":
      return `resumed by ${data.by}`
    case "RunCompleted":
      return `completed after ${data.rounds} rounds`
    case "RunFailed":
      return `failed: ${reason}${data.error ? `: ${messageOf(data.error)}` : ""}`
    default:
      return `${type}${reason ? `: ${reason}` : ""}`
  }
}
