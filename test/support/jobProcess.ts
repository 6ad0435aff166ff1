/**
 * An actor system with the test's machine in a process of its own, on a journal in a file: `jobProcess.js <path> <commands as JSON>`.
 * Says a line for each invocation that starts and for each event that is committed, and goes on until it is killed.
 */
import { Effect } from "effect"
import type { ActorState } from "../../src/actors/fold.js"
import { Snapshots } from "../../src/events/Snapshots.js"
import { type JobCommand, makeJobKind } from "./jobKind.js"
import { boot, sqliteJournalFor } from "./systems.js"

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const kind = makeJobKind({
  work: ({ idempotencyKey, invocation }) =>
    Effect.zipRight(
      Effect.sync(() => say(`work ${idempotencyKey} ${JSON.stringify(invocation.input)}`)),
      Effect.never
    )
})

const main = (path: string, commands: ReadonlyArray<readonly [id: string, command: JobCommand]>) =>
  Effect.gen(function* () {
    const onCommitted = (changes: ReadonlyArray<{ readonly after: ActorState }>) => {
      for (const { after } of changes) say(`state ${after.stream} ${after.name}`)
    }
    const system = yield* boot({ kinds: [kind], snapshots: yield* Snapshots, onCommitted })
    for (const [id, command] of commands) yield* system.send(kind, id, command, { by: "test" })
    say("ready")
    yield* Effect.never
  }).pipe(Effect.scoped, Effect.provide(sqliteJournalFor([kind], path)))

const [path = "", commands = "[]"] = process.argv.slice(2)
Effect.runFork(main(path, JSON.parse(commands)))
// Nothing else keeps the process: what waits in it are fibers.
setInterval(() => {}, 60_000)
