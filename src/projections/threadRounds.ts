/** The steps of runs, one row a round, with the length of each as a page shows it. */
import { dataOf, idOf, kindOf, makeStreamId, type RecordedEvent } from "../events/Event.js"
import type { Projection } from "./Projection.js"
import { threadBlock } from "./threadBlock.js"

/** Keys sort as rounds do. A run has at most 1,000. */
const keyOf = ({ stream, data }: RecordedEvent): string =>
  `${idOf(stream)}/${String(data.round).padStart(4, "0")}`

export const threadRounds: Projection = {
  name: "thread_rounds",
  version: 1,
  columns: {
    key: "TEXT",
    run_id: "TEXT",
    round: "INTEGER",
    role: "TEXT",
    content: "TEXT",
    blob: "TEXT",
    meta: "TEXT",
    at: "INTEGER",
    attempts: "INTEGER",
    chars: "INTEGER"
  },
  indexes: ["(run_id, round, chars)"],
  keys: (event) =>
    event.type === "RoleStepRecorded" && kindOf(event.stream) === "run" ? [keyOf(event)] : [],
  streamOf: (key) => makeStreamId("run", key.slice(0, key.lastIndexOf("/"))),
  reduce: (_row, event, key) => {
    const { stream, at } = event
    const { round, role, attempt, content, meta } = dataOf<Step>(event)
    const isInline = typeof content === "string"
    const head = threadBlock({ round, role, at, attempt, meta, content: "" })
    return {
      key,
      run_id: idOf(stream),
      round,
      role,
      content: isInline ? content : null,
      blob: isInline ? null : JSON.stringify(content),
      meta: JSON.stringify(meta),
      at,
      attempts: attempt,
      chars: head.length + (isInline ? content.length : content.chars)
    }
  }
}

interface Step {
  readonly round: number
  readonly role: string
  readonly attempt: number
  readonly content: string | { readonly chars: number }
  readonly meta: { readonly [name: string]: unknown }
}
