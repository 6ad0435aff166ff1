/**
 * What a program writes down of what it hears, as evidence that a message arrived: a record that is newer than the attempt and names
 * the message. How much there was before the attempt is kept beside the session, for a hub that is killed in between (contracts: peers 2).
 */
import { closeSync, openSync, readSync, statSync } from "node:fs"
import { findFiles } from "./findFiles.js"
import type { SessionFolder } from "./SessionFolder.js"

/** More is not looked at for one message. */
const maxBytes = 16 * 1_024 * 1_024

/** Bytes of each file that were there before; of a file that is new, none. */
type Sizes = { readonly [path: string]: number }

interface Mark {
  readonly key: string
  readonly sizes: Sizes
}

export class Transcript {
  constructor(
    private readonly folder: SessionFolder,
    private readonly pattern: string
  ) {}

  /** Notes how far it has come, once for a key: one that was noted before counts on. */
  mark(key: string): Sizes {
    const noted = this.#noted()
    if (noted?.key === key) return noted.sizes
    const sizes = this.sizes()
    this.folder.write("heard", JSON.stringify({ key, sizes } satisfies Mark))
    return sizes
  }

  /** How far it has come now. */
  sizes(): Sizes {
    return Object.fromEntries(findFiles(this.pattern).map((path) => [path, sizeOf(path)]))
  }

  /** Whether anything was written since that fits. */
  hasSince(sizes: Sizes, match: RegExp): boolean {
    return findFiles(this.pattern).some((path) => {
      const from = sizes[path] ?? 0
      // One that became shorter was begun anew.
      return match.test(textFrom(path, sizeOf(path) < from ? 0 : from))
    })
  }

  /** When anything was last written. */
  get modifiedAt(): number {
    return Math.max(0, ...findFiles(this.pattern).map((path) => Math.floor(statOf(path)?.mtimeMs ?? 0)))
  }

  #noted(): Mark | undefined {
    const text = this.folder.read("heard")
    return text === undefined || text === "" ? undefined : (JSON.parse(text) as Mark)
  }
}

/** A message's id as a word of its own: `m-1` is not in `m-10`. */
export const namesMessage = (messageId: string): RegExp => {
  const escaped = messageId.replaceAll(".", "\\.")
  return new RegExp(`(?<![A-Za-z0-9._:-])${escaped}(?![A-Za-z0-9._:-])`)
}

const statOf = (path: string) => statSync(path, { throwIfNoEntry: false })
const sizeOf = (path: string): number => statOf(path)?.size ?? 0

const textFrom = (path: string, from: number): string => {
  const length = Math.min(sizeOf(path) - from, maxBytes)
  if (length <= 0) return ""
  const file = openSync(path, "r")
  try {
    const buffer = Buffer.alloc(length)
    return buffer.toString("utf8", 0, readSync(file, buffer, 0, length, from))
  } finally {
    closeSync(file)
  }
}
