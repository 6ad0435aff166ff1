/** Data goes to stdout, words to stderr; a pipe that is closed ends the program quietly. */
import { writeSync } from "node:fs"
import { Effect } from "effect"

/** Prints data. A reader that has seen enough, such as `head`, ends the program; any other fault is one. */
export const print = (text: string): Effect.Effect<void> =>
  text === "" ? Effect.void : Effect.sync(() => writeOut(process.stdout.fd, `${text}\n`))

/** Prints words for a person. */
export const say = (text: string): Effect.Effect<void> =>
  Effect.sync(() => void process.stderr.write(`${text}\n`))

/** Writes everything before it returns, so that a disk that is full is met here; a pipe may take less than all at a time. */
export const writeOut = (descriptor: number, text: string | Uint8Array): void => {
  const bytes = typeof text === "string" ? Buffer.from(text) : text
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(descriptor, bytes, written)
    } catch (error) {
      const { code } = error as { readonly code?: string }
      if (code === "EPIPE") process.exit(0)
      if (code !== "EAGAIN") throw error
      Atomics.wait(sleeper, 0, 0, fullPipeMs)
    }
  }
}

const fullPipeMs = 5
const sleeper = new Int32Array(new SharedArrayBuffer(4))

/** Columns padded to their widest cell, with a line of headings. */
export const table = (headings: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<unknown>>): string =>
  columns([headings, ...rows.map((row) => row.map(cell))])

/** Cells in columns that are padded to their widest one. */
export const columns = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths: Array<number> = []
  for (const row of rows) {
    for (const [index, text] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, text.length)
  }
  return rows
    .map((row) =>
      row
        .map((text, index) => text.padEnd(widths[index] ?? 0))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
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
