/** A replay's result in words and in JSON. */
import type { Replayed } from "../replay/replay.js"
import type { Step } from "../replay/steps.js"
import { localTime, span, table } from "./output.js"

const shown = 20

/** The report of a whole replay: actors by kind and state, then where the code and the past disagree. */
export const replayReport = (replayed: Replayed, tookMs: number): string => {
  const { events, streams, upTo, actors, rows } = replayed
  const rate = Math.round(events / Math.max(0.001, tookMs / 1_000))
  const states = [...actors].flatMap(([kind, counts]) =>
    [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([state, count]) => [kind, state, count])
  )
  return [
    `replayed ${events} events of ${streams} streams up to offset ${upTo} in ${span(tookMs)} (${rate} events/s)`,
    "",
    table(["KIND", "STATE", "ACTORS"], states),
    "",
    table(
      ["PROJECTION", "ROWS"],
      rows.map((row) => [row.projection, row.rows])
    ),
    "",
    ...divergenceLines(replayed),
    ...differenceLines(replayed)
  ].join("\n")
}

const divergenceLines = ({ divergences, divergedStreams }: Replayed): ReadonlyArray<string> => {
  if (divergences.length === 0) return ["no divergences"]
  const lines = divergences
    .slice(0, shown)
    .map(
      ({ offset, stream, version, type, before, expected, actual, problem }) =>
        `  offset ${offset}  ${stream} version ${version}  ${type} in ${before}: expected ${expected}, actual ${actual ?? "refused"} (${problem})`
    )
  return [`${counted(divergedStreams, "stream diverges", "streams diverge")}; the first:`, ...lines]
}

const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`

const differenceLines = ({ differences, differingRows }: Replayed): ReadonlyArray<string> => {
  if (differences.length === 0) return []
  const lines = differences.slice(0, shown).map(({ projection, key, live, replayed }) => {
    const columns = Object.keys(replayed ?? {}).filter((column) => live?.[column] !== replayed?.[column])
    const parts = columns.map(
      (column) => `${column} is ${live?.[column] ?? null}, replayed ${replayed?.[column] ?? null}`
    )
    return `  ${projection} ${key}: ${live ? parts.join("; ") : replayed ? "no live row" : ""}`
  })
  const rows = counted(differingRows, "live row is", "live rows are")
  return [`${rows} not what today's reducers make; the first:`, ...lines]
}

/** A stream told step by step. */
export const stepLines = (steps: ReadonlyArray<Step>): string =>
  steps
    .map(({ event, sinceMs, before, after, changes, problem }) => {
      const waited = sinceMs === null ? "" : `  +${span(sinceMs)}`
      const why = event.causation === null ? "" : `  because of offset ${event.causation}`
      const head = `${String(event.offset).padStart(6)}  ${localTime(event.at)}${waited}  ${event.type}  by ${event.by}${why}`
      const move = `        ${before} -> ${after ?? "refused"}${problem ? `  !! ${problem}` : ""}`
      const diff = changes.map(
        ({ field, before, after }) =>
          `        ${field}: ${JSON.stringify(before)} -> ${JSON.stringify(after)}`
      )
      return [head, move, ...diff].join("\n")
    })
    .join("\n")

/** What `--json` prints of a replay. */
export const replayJson = (replayed: Replayed, tookMs: number): unknown => ({
  ...replayed,
  tookMs: Math.round(tookMs),
  actors: Object.fromEntries([...replayed.actors].map(([kind, states]) => [kind, Object.fromEntries(states)]))
})

export const stepsJson = (steps: ReadonlyArray<Step>): unknown =>
  steps.map(({ event, ...step }) => ({ event: JSON.parse(event.json), ...step }))
