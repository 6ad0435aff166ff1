/**
 * How far the hub log has come. It is written over in place, many times a second: a file that is cut and written anew, or renamed over,
 * waits for the file system's own journal, and the event loop would wait with it.
 */
import { closeSync, constants, openSync, readFileSync, writeSync } from "node:fs"
import { Option, Schema } from "effect"
import { Offset } from "../events/Event.js"

const Place = Schema.Struct({
  journalId: Schema.String,
  offset: Offset,
  boot: Schema.optional(Schema.String)
})
/** The last event that has its line, and the boot that it is of. */
export type Place = typeof Place.Type

const decode = Schema.decodeUnknownOption(Schema.parseJson(Place))

/** Always as long, so that nothing of an older place stands behind a newer one; within one page, so that no kill tears it. */
const bytes = 256

export class LogCursor {
  #descriptor: number | undefined

  constructor(private readonly path: string) {}

  /** How far the log has come, if it is a log of this journal. */
  read(journalId: string): Place | undefined {
    try {
      const place = Option.getOrUndefined(decode(readFileSync(this.path, "utf8")))
      return place?.journalId === journalId ? place : undefined
    } catch {
      return undefined
    }
  }

  /** Throws what the file system says. */
  save(place: Place): void {
    this.#descriptor ??= openSync(this.path, constants.O_WRONLY | constants.O_CREAT, 0o600)
    writeSync(this.#descriptor, JSON.stringify(place).padEnd(bytes), 0)
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }
}
