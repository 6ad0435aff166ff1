/**
 * A text file that grows by whole lines and is moved aside before it grows too large: `.1` is the newest of the older ones. Written by
 * one process alone.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeSync
} from "node:fs"
import { dirname } from "node:path"
import { makeFolder } from "../events/makeFolder.js"

export interface RotationLimits {
  /** No file grows beyond this, unless a single line does. */
  readonly maxBytes: number
  /** Older files that are kept besides the one that is written. */
  readonly maxFiles: number
}

export class RotatingFile {
  #descriptor: number | undefined
  #bytes = 0

  constructor(
    readonly path: string,
    private readonly limits: RotationLimits
  ) {}

  /** Appends lines, each given without its line feed. Throws what the file system says; lines before the failure are written. */
  append(lines: ReadonlyArray<string>): void {
    let text = ""
    let size = this.#size()
    for (const line of lines) {
      const bytes = Buffer.byteLength(line) + 1
      if (size > 0 && size + bytes > this.limits.maxBytes) {
        this.#write(text)
        text = ""
        this.#rotate()
        size = this.#size()
      }
      text += `${line}\n`
      size += bytes
    }
    this.#write(text)
  }

  /** Cuts a last line that was not written whole. */
  cutTornTail(): void {
    this.close()
    const text = read(this.path)
    const whole = text.lastIndexOf("\n") + 1
    if (whole < text.length) truncateSync(this.path, Buffer.byteLength(text.slice(0, whole)))
  }

  /** The newest line that fits, from the file that is written backwards. */
  findLast(fits: (line: string) => boolean): string | undefined {
    for (let index = 0; index <= this.limits.maxFiles; index++) {
      const found = read(this.#name(index)).split("\n").reverse().find(fits)
      if (found !== undefined) return found
    }
    return undefined
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }

  #size(): number {
    this.#open()
    return this.#bytes
  }

  #open(): number {
    if (this.#descriptor === undefined) {
      makeFolder(dirname(this.path))
      this.#descriptor = openSync(this.path, "a", 0o600)
      this.#bytes = fstatSync(this.#descriptor).size
    }
    return this.#descriptor
  }

  #write(text: string): void {
    if (text === "") return
    const bytes = Buffer.from(text)
    const descriptor = this.#open()
    for (let written = 0; written < bytes.length; ) {
      const count = writeSync(descriptor, bytes, written)
      written += count
      this.#bytes += count
    }
  }

  #rotate(): void {
    this.close()
    const { maxFiles } = this.limits
    // The oldest one is overwritten by the one before it; without older ones the file begins anew.
    if (maxFiles === 0) closeSync(openSync(this.path, "w", 0o600))
    for (let index = maxFiles - 1; index >= 0; index--) {
      if (statSync(this.#name(index), { throwIfNoEntry: false }))
        renameSync(this.#name(index), this.#name(index + 1))
    }
  }

  #name(index: number): string {
    return index === 0 ? this.path : `${this.path}.${index}`
  }
}

const read = (path: string): string => (existsSync(path) ? readFileSync(path, "utf8") : "")
