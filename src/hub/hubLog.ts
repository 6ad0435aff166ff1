/**
 * The hub log: one JSON object a line, written aside from the commands that it tells of (contracts: hub 2). It follows the journal from
 * a cursor of its own, so that nothing is missing between boots; refusals, which are in no journal, come through a bounded list.
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import type { Envelope, Outcome } from "../actors/CommandQueue.js"
import type { RefusalEntry, RefusalFeed } from "../actors/RefusalFeed.js"
import { logLevels, type Settings } from "../config/Settings.js"
import type { Offset, RecordedEvent } from "../events/Event.js"
import type { Journal, JournalUnavailable } from "../events/Journal.js"
import { LogCursor, type Place } from "./LogCursor.js"
import { type AnsweredCommand, encodeEntry, eventEntry, type LogEntry, refusalEntry } from "./logEntry.js"
import { RotatingFile } from "./RotatingFile.js"

export const logPath = (stateDir: string): string => join(stateDir, "logs", "hub.log")

export interface HubLogServices {
  readonly journal: Journal["Type"]
  readonly refusals: RefusalFeed
  readonly settings: Settings
  readonly bootId: string
  /** Where to begin when there is no cursor: the end of the journal before this boot. */
  readonly before: Offset
  readonly now: () => number
  readonly commands: AnsweredCommands
}

/** Why the log cannot be written, and since when. */
export interface LogOutage {
  readonly since: number
  readonly detail: string
}

export interface HubLog {
  readonly outage: () => LogOutage | undefined
  /** Events that are recorded and not logged yet. */
  readonly lag: () => number
}

/** After a wake-up, events of the next moments go into the same write. */
const gatherMs = 50
const againMs = 1_000
const pageSize = 512
const maxRefusals = 10_000
const maxCommands = 20_000

/** What the carried-out commands of this boot were, until their events are logged. */
export class AnsweredCommands {
  readonly #byId = new Map<string, AnsweredCommand>()

  add({ command, commandId, arrivedAt }: Envelope, { events }: Outcome, now: number): void {
    if (events.length === 0) return
    this.#byId.set(commandId, { command: command.type, tookMs: now - arrivedAt })
    if (this.#byId.size > maxCommands) this.#byId.delete(this.#byId.keys().next().value ?? "")
  }

  take(commandId: string): AnsweredCommand | undefined {
    const answered = this.#byId.get(commandId)
    this.#byId.delete(commandId)
    return answered
  }
}

/** Writes the log as long as the scope lasts, and what is left when it closes. */
export const startHubLog = (services: HubLogServices): Effect.Effect<HubLog, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { journal, refusals, settings, bootId, now } = services
    const file = new RotatingFile(logPath(settings.stateDir), {
      maxBytes: settings["log.max_bytes"],
      maxFiles: settings["log.max_files"]
    })
    const floor = logLevels.indexOf(settings["log.level"])
    const passes = ({ level, err }: LogEntry) =>
      level === "ERROR" || err !== undefined || logLevels.indexOf(level) >= floor
    const { journalId } = journal
    const saved = new LogCursor(join(settings.stateDir, "logs", "hub.cursor"))
    let cursor: Place = saved.read(journalId) ?? { journalId, offset: services.before }
    let head: number = cursor.offset
    let outage: LogOutage | undefined
    let lastCommand: string | undefined

    const refused: Array<RefusalEntry> = []
    let dropped = 0
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        refusals.listen((refusal) => {
          if (refused.length < maxRefusals) refused.push(refusal)
          else dropped += 1
        })
      ),
      (stop) => Effect.sync(stop)
    )

    /** One line a command of a caller, one line an event of the hub's own. */
    const entriesOf = (event: RecordedEvent): ReadonlyArray<LogEntry> => {
      const boot = event.type === "HubStarted" ? String(event.data.bootId) : cursor.boot
      cursor = { journalId, offset: event.offset, boot }
      const entry = eventEntry(event, boot, services.commands.take(event.commandId))
      if (entry.event === "rpc" && event.commandId === lastCommand) return []
      lastCommand = event.commandId
      return [entry]
    }

    const writeRefusals = () => {
      const lines = refused.map((refusal) => encodeEntry(refusalEntry(refusal, bootId)))
      if (dropped > 0) lines.push(encodeEntry(droppedEntry(dropped, now(), bootId)))
      if (lines.length === 0) return
      file.append(lines)
      refused.length = 0
      dropped = 0
    }

    /** Writes all that there is; what cannot be written stays for the next attempt. */
    const drain: Effect.Effect<void, JournalUnavailable> = Effect.gen(function* () {
      for (;;) {
        const before = cursor
        const page = yield* journal.read(before.offset, pageSize)
        head = (yield* journal.head).offset
        const entries = page.flatMap(entriesOf)
        try {
          writeRefusals()
          if (page.length > 0) {
            file.append(entries.filter(passes).map(encodeEntry))
            saved.save(cursor)
          }
          outage = undefined
        } catch (error) {
          cursor = before
          outage ??= { since: now(), detail: String(error) }
          return
        }
        if (page.length < pageSize) return
      }
    })

    const following = Effect.gen(function* () {
      yield* Effect.raceFirst(journal.awaitBeyond(cursor.offset), Effect.sleep(againMs))
      yield* Effect.sleep(outage ? againMs : gatherMs)
      yield* Effect.ignore(drain)
    })
    mkdirSync(join(settings.stateDir, "logs"), { recursive: true, mode: 0o700 })
    yield* Effect.addFinalizer(() =>
      Effect.zipRight(
        Effect.ignore(drain),
        Effect.sync(() => {
          file.close()
          saved.close()
        })
      )
    )
    yield* Effect.forkScoped(Effect.forever(following))
    return { outage: () => outage, lag: () => head - cursor.offset }
  })

const droppedEntry = (count: number, at: number, boot: string): LogEntry => ({
  ts: new Date(at).toISOString(),
  level: "WARN",
  event: "rpc",
  agent: "system",
  msg: `${count} refusals came too fast to be logged`,
  boot
})
