/** One event as one readable line. */
import { localTime } from "./output.js"

/** What a line shows of an event. */
interface Shown {
  readonly offset: number
  readonly at: number
  readonly stream: string
  readonly type: string
  readonly state: string
  readonly by: string
  readonly dataJson: string
}

const maxDataLength = 120

export const eventLine = (event: Shown): string => {
  const { offset, at, stream, type, state, by, dataJson } = event
  const data = dataJson.length > maxDataLength ? `${dataJson.slice(0, maxDataLength)}…` : dataJson
  return `${String(offset).padStart(6)}  ${localTime(at)}  ${stream}  ${type} -> ${state}  by ${by}  ${data}`
}
