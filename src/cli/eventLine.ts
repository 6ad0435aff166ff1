/** One event as one readable line. */
import type { RecordedEvent } from "../events/Event.js"
import { localTime } from "./output.js"

const maxDataLength = 120

export const eventLine = (event: RecordedEvent): string => {
  const { offset, at, stream, type, state, by, dataJson } = event
  const data = dataJson.length > maxDataLength ? `${dataJson.slice(0, maxDataLength)}…` : dataJson
  return `${String(offset).padStart(6)}  ${localTime(at)}  ${stream}  ${type} -> ${state}  by ${by}  ${data}`
}
