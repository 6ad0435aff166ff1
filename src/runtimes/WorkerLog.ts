/**
 * `workers.log`: what workers write, a line each with time, worker and stream, in files of bounded size and number. A disk that is full
 * costs lines here and nothing else.
 */
import { appendFileSync, renameSync, rmSync, statSync } from "node:fs"

export interface WorkerOutput {
  readonly write: (stream: "out" | "err", chunk: Buffer) => void
  /** A line of the hub's own about this worker. */
  readonly note: (text: string) => void
}

export interface WorkerLogOptions {
  /** Epoch ms for the lines. */
  readonly now: () => number
  readonly maxBytes?: number
  readonly maxFiles?: number
}

/** contracts: senses and workflows 2.3; the newest file is one of these. */
const defaultMaxBytes = 10 * 1024 * 1024
const defaultMaxFiles = 5
/** What one worker may write in a second. The rest is counted and dropped, so that a flood costs neither disk nor time. */
const maxBytesPerSecond = 1024 * 1024
const maxLine = 8 * 1024

export class WorkerLog {
  #bytes: number

  constructor(
    private readonly path: string,
    private readonly options: WorkerLogOptions
  ) {
    this.#bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  }

  /** The output of one worker. A line that is not ended yet waits for its end, or until it is too long. */
  attach(workerId: string): WorkerOutput {
    const begun = { out: "", err: "" }
    const allowance = { second: 0, bytes: 0, dropped: 0 }
    const line = (stream: string, text: string) =>
      `${new Date(this.options.now()).toISOString()} ${workerId} ${stream} ${text}\n`
    const note = (text: string) => this.#append(line("hub", text.replaceAll("\n", " ").slice(0, maxLine)))

    const isAllowed = (bytes: number): boolean => {
      const second = Math.floor(this.options.now() / 1_000)
      if (second !== allowance.second) {
        if (allowance.dropped > 0) note(`${allowance.dropped} bytes of output were dropped`)
        Object.assign(allowance, { second, bytes: 0, dropped: 0 })
      }
      allowance.bytes += bytes
      if (allowance.bytes <= maxBytesPerSecond) return true
      allowance.dropped += bytes
      return false
    }
    return {
      note,
      write: (stream, chunk) => {
        if (!isAllowed(chunk.length)) return
        const lines = (begun[stream] + chunk.toString("utf8")).split("\n")
        const rest = lines.pop() ?? ""
        begun[stream] = rest.length > maxLine ? "" : rest
        if (rest.length > maxLine) lines.push(rest)
        this.#append(lines.map((text) => line(stream, text.slice(0, maxLine))).join(""))
      }
    }
  }

  #append(text: string): void {
    if (text === "") return
    const { maxBytes = defaultMaxBytes } = this.options
    try {
      if (this.#bytes > 0 && this.#bytes + text.length > maxBytes) this.#rotate()
      appendFileSync(this.path, text, { mode: 0o600 })
      this.#bytes += Buffer.byteLength(text)
    } catch {
      // A full disk is told by health; the line is lost.
    }
  }

  /** `workers.log.3` to `.4`, and so on; the oldest goes. */
  #rotate(): void {
    const { maxFiles = defaultMaxFiles } = this.options
    const nameOf = (index: number) => (index === 0 ? this.path : `${this.path}.${index}`)
    rmSync(nameOf(maxFiles - 1), { force: true })
    for (let index = maxFiles - 2; index >= 0; index--) {
      if (statSync(nameOf(index), { throwIfNoEntry: false })) renameSync(nameOf(index), nameOf(index + 1))
    }
    this.#bytes = 0
  }
}
