/**
 * `waking.booting`: starts a session's process, unless it runs already, and waits until it is ready. Idempotent by the session's id:
 * a hub that comes back finds the wrapper that an earlier one started (contracts: peers 3.4).
 */
import { existsSync } from "node:fs"
import { Effect, type Scope } from "effect"
import type { InvocationCall } from "../actors/ActorKind.js"
import { formatIdentity } from "../actors/peer/Identity.js"
import type { Registration } from "../actors/peer/PeerEvent.js"
import type { PresenceCommand } from "../actors/presence/PresenceCommand.js"
import type { Session } from "../actors/presence/PresenceContext.js"
import type { SessionInput } from "../actors/presence/presenceMachine.js"
import type { RuntimeConfig } from "../config/runtimes.js"
import { parseControlLine } from "./controlLine.js"
import { identityOf } from "./identityOf.js"
import { environmentOf, fill, templatesOf } from "./launch.js"
import { seedLine } from "./messageLine.js"
import { OutputReader } from "./OutputReader.js"
import type { PeerWorld } from "./PeerWorld.js"
import { endOf, type SpawnFailed, startProcess, writeLine } from "./ProcessHost.js"
import { nameProcess, type ProcessName } from "./ProcessTable.js"
import { reportEnd } from "./reportEnd.js"
import { SessionFolder } from "./SessionFolder.js"
import type { SessionMemory } from "./Sessions.js"
import { watchFolder } from "./watchFolder.js"

/** How often readiness that nobody tells of is looked at. */
const lookAgainMs = 20

interface Boot {
  readonly world: PeerWorld
  readonly call: InvocationCall
  readonly session: Session
  readonly registration: Registration
  readonly config: RuntimeConfig
  readonly folder: SessionFolder
  readonly memory: SessionMemory
  readonly since: number
}

export const makeBringUp =
  (world: PeerWorld) =>
  (call: InvocationCall): Effect.Effect<void> =>
    Effect.gen(function* () {
      const { session } = call.invocation.input as SessionInput
      const { personality, runtime } = identityOf(call.stream)
      const registration = yield* world.registration(personality)
      const config = world.runtime(runtime)
      if (!registration || !config) {
        return yield* send(call, {
          type: "ReportSpawnFailed",
          sessionId: session.id,
          reason: "runtime-unknown",
          detail: runtime
        })
      }
      const folder = new SessionFolder(world.sessionsRoot, session.id)
      const memory = world.sessions.of(session.id)
      const boot = { world, call, session, registration, config, folder, memory, since: world.now() }
      const started = yield* Effect.either(memory.exclusively(Effect.uninterruptible(findOrStart(boot))))
      if (started._tag === "Left") {
        const { detail } = started.left
        return yield* send(call, {
          type: "ReportSpawnFailed",
          sessionId: session.id,
          reason: "spawn-error",
          detail
        })
      }
      yield* watchBoot(boot, started.right)
    }).pipe(Effect.scoped)

const send = (call: InvocationCall, command: PresenceCommand) =>
  Effect.asVoid(Effect.orDie(call.send(command)))

/** The session's process; undefined when it has ended already. */
const findOrStart = ({
  world,
  call,
  session,
  registration,
  config,
  folder,
  memory
}: Boot): Effect.Effect<ProcessName | undefined, SpawnFailed> =>
  Effect.gen(function* () {
    if (memory.isOver) return undefined
    if (folder.exists) {
      const wrapper = folder.wrapper()
      if (wrapper || folder.has("pid")) return wrapper
    }
    const identity = identityOf(call.stream)
    folder.create(formatIdentity(identity))
    const { token } = world.sessions.token(folder)
    const env = environmentOf(world, identity, config, registration, { id: session.id, token })
    const { argv, cwd } = session
    return nameProcess(yield* startProcess(folder, memory, { argv, cwd, env }))
  })

const watchBoot = (boot: Boot, name: ProcessName | undefined): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { world, call, session, folder, memory } = boot
    const { sha256 } = world.sessions.token(folder)
    if (name) {
      yield* send(call, { type: "ReportSpawned", sessionId: session.id, ...name, tokenSha256: sha256 })
    }
    const watch = yield* watchFolder(folder.path)
    memory.onChange(watch.nudge)
    const reader = new OutputReader(folder.file("out"), 0)
    for (;;) {
      const exit = endOf(folder, memory, name)
      const evidence = readinessOf(boot, reader)
      if (evidence !== undefined && !exit) return yield* becomeReady(boot, evidence)
      if (exit) {
        return yield* reportEnd(world, call, folder, exit, memory.isOwn ? "exit" : "reconcile", name?.pid)
      }
      yield* Effect.raceFirst(watch.changed, Effect.sleep(lookAgainMs))
    }
  })

/** What shows that it takes messages, if anything does. */
const readinessOf = (
  { world, call, session, registration, config: { ready }, since }: Boot,
  reader: OutputReader
): string | undefined => {
  const { lines } = reader.read()
  for (const { text } of lines) {
    if (parseControlLine(text)?.mound === "ready") return "control"
    if (ready._tag === "Line" && ready.pattern.test(text)) return "line"
  }
  if (ready._tag === "Alive" && world.now() - since >= ready.forMs) return "alive"
  if (ready._tag !== "File") return undefined
  const templates = templatesOf(world, identityOf(call.stream), registration, session.id, null)
  return existsSync(fill(ready.path, templates)) ? "file" : undefined
}

/** A fresh session hears its seed before anything else. Output is then read from its beginning: nothing said so far is lost. */
const becomeReady = (
  { world, call, session, registration: { seedPrompt }, folder, memory, since }: Boot,
  evidence: string
): Effect.Effect<void> =>
  Effect.gen(function* () {
    if (session.mode === "fresh" && seedPrompt !== null && !folder.has("seeded")) {
      yield* writeLine(folder, memory, seedLine(seedPrompt))
      folder.write("seeded", "")
    }
    yield* send(call, {
      type: "ReportReady",
      sessionId: session.id,
      evidence,
      afterMs: world.now() - since,
      outputOffset: 0
    })
  })
