/** Reads a session's output from an offset on, line by line; what is not a whole line yet is read again. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs"

export interface OutputLine {
  readonly text: string
  /** Offset after the line. */
  readonly end: number
}

/** Lines longer than this are no control lines (contracts: peers 4). */
const maxLineBytes = 256 * 1_024
const chunkBytes = 64 * 1_024
/** What is read in one go at most, so that others get their turn. */
const maxBytesAtOnce = 1_024 * 1_024

export class OutputReader {
  #offset: number
  #rest = Buffer.alloc(0)
  /** In the middle of a line that is too long. */
  #isSkipping = false

  constructor(
    private readonly path: string,
    from: number
  ) {
    this.#offset = from
  }

  /** Up to where whole lines were read. */
  get offset(): number {
    return this.#offset
  }

  /** Up to where anything was read. */
  get readTo(): number {
    return this.#offset + this.#rest.length
  }

  /** The whole lines that are there now, and whether there is more. A file that became shorter is read from its beginning. */
  read(): { readonly lines: ReadonlyArray<OutputLine>; readonly bytes: number; readonly hasMore: boolean } {
    let file: number
    try {
      file = openSync(this.path, "r")
    } catch {
      return { lines: [], bytes: 0, hasMore: false }
    }
    try {
      const { size } = fstatSync(file)
      if (size < this.readTo) {
        this.#offset = 0
        this.#rest = Buffer.alloc(0)
      }
      const lines: Array<OutputLine> = []
      const buffer = Buffer.alloc(chunkBytes)
      let bytes = 0
      while (bytes < maxBytesAtOnce) {
        const length = readSync(file, buffer, 0, chunkBytes, this.readTo)
        if (length === 0) return { lines, bytes, hasMore: false }
        bytes += length
        this.#take(buffer.subarray(0, length), lines)
      }
      return { lines, bytes, hasMore: true }
    } finally {
      closeSync(file)
    }
  }

  #take(chunk: Buffer, lines: Array<OutputLine>): void {
    let pending = Buffer.concat([this.#rest, chunk])
    for (let end = pending.indexOf(10); end >= 0; end = pending.indexOf(10)) {
      this.#offset += end + 1
      if (!this.#isSkipping && end <= maxLineBytes) {
        lines.push({ text: pending.toString("utf8", 0, end), end: this.#offset })
      }
      this.#isSkipping = false
      pending = pending.subarray(end + 1)
    }
    if (pending.length > maxLineBytes) {
      this.#isSkipping = true
      this.#offset += pending.length
      pending = Buffer.alloc(0)
    }
    this.#rest = Buffer.from(pending)
  }
}
