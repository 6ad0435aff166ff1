/**
 * Keeps `logs/lifecycle.log`: it follows the journal and is never in its way. The file itself says how far it has come, so that each
 * event has its line once, whatever was killed when (contracts: peers 6).
 */
import { join } from "node:path"
import { Effect, Queue, Schedule } from "effect"
import type { Offset } from "../events/Event.js"
import { forEachPage } from "../events/Journal.js"
import { listRegistry } from "../projections/registryQueries.js"
import type { HubParts } from "./HubParts.js"
import { aliveLine, lifecycleLine, refusalLine } from "./lifecycleLine.js"
import { RotatingFile } from "./RotatingFile.js"

/** When a file that could not be written is tried again. */
const againMs = 1_000
const aliveMs = 60_000
/** Presences that one round of the verbose log names. */
const maxAlive = 1_000
const maxRefusals = 1_000
/** Sessions whose topics are remembered; older ones note a topic anew. */
const maxSessions = 1_000

type Services = Pick<HubParts, "settings" | "journal" | "projector" | "clock" | "system">

export const lifecycleLogPath = (stateDir: string): string => join(stateDir, "logs", "lifecycle.log")

/** For ever. */
export const lifecycleLog = (services: Services): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { settings } = services
    const file = yield* Effect.acquireRelease(
      Effect.sync(
        () =>
          new RotatingFile(lifecycleLogPath(settings.stateDir), {
            maxBytes: settings["peers.lifecycle_log.max_bytes"],
            maxFiles: settings["peers.lifecycle_log.keep"]
          })
      ),
      (opened) => Effect.sync(() => opened.close())
    )
    const refusals = yield* refusalsOf(services)
    const writers = [
      writeEvents(services, file),
      Effect.forever(Effect.flatMap(Queue.take(refusals), (line) => Effect.ignore(append(file, [line])))),
      ...(settings["peers.lifecycle_log.verbose"]
        ? [Effect.repeat(writeAlive(services, file), Schedule.spaced(aliveMs))]
        : [])
    ]
    yield* Effect.all(writers, { concurrency: "unbounded", discard: true })
  }).pipe(Effect.scoped)

const append = (file: RotatingFile, lines: ReadonlyArray<string>) => Effect.try(() => file.append(lines))

/** A file that cannot be written delays its lines and loses none: it is begun again from where it ends. */
const writeEvents = ({ journal }: Services, file: RotatingFile): Effect.Effect<void> => {
  const isNewTopic = makeTopicMemory()
  return Effect.suspend(() => {
    file.cutTornTail()
    return forEachPage(journal, lastOffset(file), (page) => {
      const lines = page.flatMap((event) => lifecycleLine(event, isNewTopic) ?? [])
      return lines.length === 0 ? Effect.void : append(file, lines)
    })
  }).pipe(
    Effect.tapError((error) => Effect.logWarning(`lifecycle log: ${error}`)),
    Effect.retry(Schedule.spaced(againMs)),
    Effect.orDie
  )
}

/** Lines of refused starts. Best effort: a refusal is no event, and nobody waits for its line. */
const refusalsOf = ({ system }: Services) =>
  Effect.gen(function* () {
    const lines = yield* Queue.dropping<string>(maxRefusals)
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        system.refusals.listen((entry) => {
          const line = refusalLine(entry)
          if (line !== undefined) Queue.unsafeOffer(lines, line)
        })
      ),
      (unlisten) => Effect.sync(unlisten)
    )
    return lines
  })

/** Every session that is live, and how long ago it did something. */
const writeAlive = ({ projector, clock }: Services, file: RotatingFile): Effect.Effect<void> =>
  Effect.ignore(
    Effect.flatMap(
      listRegistry(projector.read, { kind: "presence", state: "live", limit: maxAlive, after: "" }),
      (rows) => {
        const now = clock.now()
        const ageOf = (detail: string) =>
          now - ((JSON.parse(detail) as { readonly lastActiveAt?: number }).lastActiveAt ?? now)
        return append(
          file,
          rows.map(({ name, detail }) => aliveLine(name, now, ageOf(detail)))
        )
      }
    )
  )

/** Where the file ends, as its newest line with an offset says. */
const lastOffset = (file: RotatingFile): Offset => {
  const line = file.findLast((each) => / offset=\d+$/.test(each)) ?? ""
  return Number(/ offset=(\d+)$/.exec(line)?.[1] ?? 0) as Offset
}

const makeTopicMemory = () => {
  const known = new Map<string, Set<string>>()
  return (sessionId: string, topic: string): boolean => {
    const topics = known.get(sessionId) ?? new Set()
    if (topics.has(topic)) return false
    known.set(sessionId, topics.add(topic))
    for (const oldest of known.keys()) {
      if (known.size <= maxSessions) break
      known.delete(oldest)
    }
    return true
  }
}
