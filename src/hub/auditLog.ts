/**
 * Writes the audit log in the old ledger's format, aside from what it tells of (contracts: ledger 6.5): it follows the journal from a
 * cursor of its own, and takes refusals and reads, which are in no journal, from a bounded list.
 */
import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { Effect, Option, Schema, type Scope } from "effect"
import type { RefusalFeed } from "../actors/RefusalFeed.js"
import type { Settings } from "../config/Settings.js"
import { Offset } from "../events/Event.js"
import type { Journal, JournalUnavailable } from "../events/Journal.js"
import { type AuditEntry, eventAudit, refusalAudit } from "./auditEntry.js"
import type { LogOutage } from "./hubLog.js"

export interface AuditLogServices {
  readonly journal: Journal["Type"]
  readonly refusals: RefusalFeed
  readonly settings: Settings
  /** Where to begin when there is no cursor: the end of the journal before this boot. */
  readonly before: Offset
  readonly now: () => number
}

export interface AuditLog {
  /** Notes what no journal knows: a read, or a fault at the edge. */
  readonly note: (event: string, fields: { readonly [field: string]: unknown }) => void
  readonly isOn: boolean
  readonly outage: () => LogOutage | undefined
}

const flushEveryMs = 100
const pageSize = 512
/** Lines that wait for a file that cannot be written; more are dropped and counted. */
const maxNoted = 10_000

const off: AuditLog = { note: () => {}, isOn: false, outage: () => undefined }

/** Writes as long as the scope lasts, and what is left when it closes; nothing at all unless it is configured. */
export const startAuditLog = (services: AuditLogServices): Effect.Effect<AuditLog, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { journal, refusals, settings, before, now } = services
    const path = settings["ledger.audit.file"]
    const toStderr = settings["ledger.audit.stderr"]
    if (path === undefined && !toStderr) return off
    const cursorPath = join(settings.stateDir, "logs", "audit.cursor")
    const begun = readCursor(cursorPath)
    // A cursor beyond the journal's end is of another history.
    let cursor = Math.min(begun ?? before, before) as Offset
    // From the first boot on nothing is passed over, also when that boot could not write a line.
    if (begun === undefined) yield* Effect.ignore(Effect.try(() => writeCursor(cursorPath, cursor)))
    let outage: LogOutage | undefined
    let noted: Array<AuditEntry> = []
    let dropped = 0
    const add = (entry: AuditEntry | undefined) => {
      if (!entry) return
      if (noted.length < maxNoted) noted.push(entry)
      else dropped += 1
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => refusals.listen((entry) => add(refusalAudit(entry)))),
      (stop) => Effect.sync(stop)
    )

    const write = (entries: ReadonlyArray<AuditEntry>) => {
      if (entries.length === 0) return
      const text = entries.map((entry) => `${JSON.stringify(entry)}\n`).join("")
      // By its name each time, as the old server did: whoever rotates the file need tell nobody.
      if (path !== undefined) appendTo(path, text)
      if (toStderr) process.stderr.write(text)
    }

    /** Writes all that there is; what cannot be written stays for the next attempt. */
    const drain: Effect.Effect<void, JournalUnavailable> = Effect.gen(function* () {
      for (;;) {
        const { offset: head } = yield* journal.head
        const page = head > cursor ? yield* journal.read(cursor, pageSize) : []
        const lost = dropped > 0 ? [{ ts: now(), event: "audit_dropped", count: dropped }] : []
        try {
          write([...page.flatMap((event) => eventAudit(event) ?? []), ...noted, ...lost])
          noted = []
          dropped = 0
          const last = page.at(-1)
          if (last) writeCursor(cursorPath, last.offset)
          cursor = last?.offset ?? cursor
          outage = undefined
        } catch (error) {
          outage ??= { since: now(), detail: String(error) }
          return
        }
        if (page.length < pageSize) return
      }
    })

    yield* Effect.addFinalizer(() => Effect.ignore(drain))
    yield* Effect.forkScoped(
      Effect.forever(Effect.zipRight(Effect.sleep(flushEveryMs), Effect.ignore(drain)))
    )
    return {
      note: (event, fields) => add({ ts: now(), event, ...fields }),
      isOn: true,
      outage: () => outage
    }
  })

const appendTo = (path: string, text: string): void => {
  mkdirSync(dirname(path), { recursive: true })
  appendFileSync(path, text, { mode: 0o600 })
}

const Cursor = Schema.parseJson(Schema.Struct({ offset: Offset }))

const readCursor = (path: string): Offset | undefined => {
  try {
    return Option.getOrUndefined(Schema.decodeUnknownOption(Cursor)(readFileSync(path, "utf8")))?.offset
  } catch {
    return undefined
  }
}

/** Not synced: it is of a file that is not synced either, and the event loop must not wait for the disk. */
const writeCursor = (path: string, offset: Offset): void => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(`${path}.tmp`, JSON.stringify({ offset }), { mode: 0o600 })
  renameSync(`${path}.tmp`, path)
}
