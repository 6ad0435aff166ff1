/**
 * How far a follower of the journal has come, kept in a small file. What it did up to there is durable before the cursor says so, so a
 * cursor that is lost or old costs repeats, which followers make harmless, and never an event.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs"
import { dirname } from "node:path"
import { Schema } from "effect"
import { Offset } from "./Event.js"
import { makeFolder } from "./makeFolder.js"

const Saved = Schema.Struct({ offset: Offset })
const decode = Schema.decodeUnknownSync(Saved)

export interface Cursor {
  /** The last offset that is done with; 0 at first, and where the file cannot be read. */
  readonly read: () => Offset
  readonly save: (offset: Offset) => void
}

export const fileCursor = (path: string): Cursor => ({
  read: () => {
    try {
      return decode(JSON.parse(readFileSync(path, "utf8"))).offset
    } catch {
      return 0 as Offset
    }
  },
  save: (offset) => {
    makeFolder(dirname(path))
    const temporary = `${path}.tmp`
    const descriptor = openSync(temporary, "w", 0o600)
    try {
      writeSync(descriptor, JSON.stringify({ offset }))
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(temporary, path)
  }
})
