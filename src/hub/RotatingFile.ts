/** A file of lines that is moved aside before it grows too large: the base is the newest, `.1` the one before it (contracts: peers 6). */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync
} from "node:fs"
import { dirname } from "node:path"

export interface Rotation {
  readonly maxBytes: number
  /** Files kept besides the base. */
  readonly keep: number
}

export class RotatingFile {
  constructor(
    readonly path: string,
    private readonly rotation: Rotation
  ) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  }

  /** Adds whole lines. One that is larger than a file may be stands alone in its own. */
  append(lines: ReadonlyArray<string>): void {
    let pending = ""
    let size = this.#size()
    for (const line of lines) {
      const bytes = Buffer.byteLength(line) + 1
      if (size > 0 && size + bytes > this.rotation.maxBytes) {
        this.#write(pending)
        pending = ""
        size = 0
        this.#rotate()
      }
      pending += `${line}\n`
      size += bytes
    }
    this.#write(pending)
  }

  /** Cuts a last line that was not written whole. */
  cutTornTail(): void {
    const text = this.#read(this.path)
    const whole = text.lastIndexOf("\n") + 1
    if (whole < text.length) truncateSync(this.path, Buffer.byteLength(text.slice(0, whole)))
  }

  /** The newest line that fits, from the base backwards. */
  findLast(fits: (line: string) => boolean): string | undefined {
    for (let n = 0; n <= this.rotation.keep; n++) {
      const found = this.#read(this.#name(n)).split("\n").reverse().find(fits)
      if (found !== undefined) return found
    }
    return undefined
  }

  #rotate(): void {
    const { keep } = this.rotation
    if (keep === 0) return rmSync(this.path, { force: true })
    for (let n = keep; n > 0; n--) {
      if (existsSync(this.#name(n - 1))) renameSync(this.#name(n - 1), this.#name(n))
    }
  }

  #write(text: string): void {
    if (text !== "") appendFileSync(this.path, text, { mode: 0o600 })
  }

  #size(): number {
    return statSync(this.path, { throwIfNoEntry: false })?.size ?? 0
  }

  #name(n: number): string {
    return n === 0 ? this.path : `${this.path}.${n}`
  }

  #read(path: string): string {
    return existsSync(path) ? readFileSync(path, "utf8") : ""
  }
}
