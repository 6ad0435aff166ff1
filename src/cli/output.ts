/** Data goes to stdout, words to stderr; a pipe that is closed ends the program quietly. */
import { Console, Effect } from "effect"

/** Prints data. */
export const print = (text: string): Effect.Effect<void> => (text === "" ? Effect.void : Console.log(text))

/** Prints words for a person. */
export const say = (text: string): Effect.Effect<void> => Console.error(text)

/** Columns padded to their widest cell, with a line of headings. */
export const table = (
  headings: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<unknown>>
): string => {
  const cells = [headings, ...rows.map((row) => row.map(cell))]
  const widths = headings.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  const line = (row: ReadonlyArray<string>) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd()
  return cells.map(line).join("\n")
}

const cell = (value: unknown): string => (value === null || value === undefined ? "-" : String(value))

/** An instant in the local time zone, to the millisecond. */
export const localTime = (at: number): string => {
  const date = new Date(at - new Date(at).getTimezoneOffset() * 60_000)
  return date.toISOString().replace("T", " ").slice(0, 23)
}

/** A span of time as people read it: `850ms`, `12.3s`, `4m10s`, `2h05m`. */
export const span = (ms: number): string => {
  if (ms < 1_000) return `${Math.round(ms)}ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)}s`
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 60) return `${minutes}m${String(Math.floor((ms % 60_000) / 1_000)).padStart(2, "0")}s`
  return `${Math.floor(minutes / 60)}h${String(minutes % 60).padStart(2, "0")}m`
}

/** A progress line that is rewritten in place on a terminal, and absent in a pipe. */
export const makeProgress = (label: string) => {
  const isShown = process.stderr.isTTY === true
  let shownAt = 0
  return {
    show: (done: number, total: number, startedAt: number): void => {
      const now = performance.now()
      if (!isShown || (now - shownAt < 100 && done < total)) return
      shownAt = now
      const share = total === 0 ? 1 : done / total
      const bar = "#".repeat(Math.round(share * 30)).padEnd(30, ".")
      const rate = Math.round(done / Math.max(0.001, (now - startedAt) / 1_000))
      process.stderr.write(`\r${label} [${bar}] ${done}/${total}  ${rate} events/s`)
      if (done >= total) process.stderr.write("\n")
    }
  }
}
