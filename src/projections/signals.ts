/** The read model `signals`: the latest thousand signals of each sense. */
import { idOf, makeStreamId } from "../events/Event.js"
import type { Projection } from "./Projection.js"

/** contracts: senses and workflows 4 */
const kept = 1_000
const digits = 12

const keyOf = (sense: string, sequence: number): string =>
  `${sense}/${String(sequence).padStart(digits, "0")}`

export const signals: Projection = {
  name: "signals",
  version: 1,
  columns: {
    key: "TEXT",
    sense: "TEXT",
    sequence: "INTEGER",
    offset: "INTEGER",
    at: "INTEGER",
    payload: "TEXT",
    depth: "INTEGER"
  },
  indexes: [`("offset")`, `(sense, "offset")`],
  // A new signal takes the place of the one that is a thousand older.
  keys: ({ type, stream, data }) => {
    if (type !== "SignalEmitted") return []
    const sequence = data.sequence as number
    const sense = idOf(stream)
    return sequence > kept
      ? [keyOf(sense, sequence), keyOf(sense, sequence - kept)]
      : [keyOf(sense, sequence)]
  },
  streamOf: (key) => makeStreamId("sense", key.slice(0, key.lastIndexOf("/"))),
  reduce: (_row, { stream, data, offset, at }, key) => {
    const sense = idOf(stream)
    const sequence = data.sequence as number
    if (key !== keyOf(sense, sequence)) return undefined
    const payload = JSON.stringify(data.payload ?? null)
    return { key, sense, sequence, offset, at, payload, depth: data.depth as number }
  }
}
