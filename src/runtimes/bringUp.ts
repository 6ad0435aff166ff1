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
import type { Launched } from "../actors/presence/PresenceContext.js"
import type { SessionInput } from "../actors/presence/presenceInputs.js"
import type { RuntimeConfig } from "../config/RuntimeConfig.js"
import { parseControlLine } from "./controlLine.js"
import { handOver, seedText } from "./delivery.js"
import { identityOf } from "./identityOf.js"
import { environmentOf, fill, templatesOf } from "./launch.js"
import { OutputReader } from "./OutputReader.js"
import type { PeerWorld } from "./PeerWorld.js"
import { endOf, type SpawnFailed, startProcess } from "./ProcessHost.js"
import { nameProcess, type ProcessName } from "./ProcessTable.js"
import { reportEnd } from "./reportEnd.js"
import { SessionFolder } from "./SessionFolder.js"
import type { SessionMemory } from "./Sessions.js"
import { watchFolder } from "./watchFolder.js"
import { screenMs, watchScreen } from "./watchScreen.js"

/** How often readiness that nobody tells of is looked at. */
const lookAgainMs = 20

interface Boot {
  readonly world: PeerWorld
  readonly call: InvocationCall
  readonly session: Launched
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
    const { argv, cwd, host } = session
    if (argv.some((each) => each.includes(folder.file("mcp.json")))) {
      folder.write("mcp.json", mcpConfig(world.url()))
    }
    const command = { argv, cwd, env }
    const pid =
      host === "tmux"
        ? yield* world.tmux.start(formatIdentity(identity), folder, memory, command)
        : yield* startProcess(folder, memory, command)
    return nameProcess(pid)
  })

/** Where the hub's tools are. The token stays in the environment. */
const mcpConfig = (url: string): string =>
  JSON.stringify({
    mcpServers: {
      mound: {
        type: "http",
        url: `${url}/mcp`,
        headers: { Authorization: `Bearer \${MOUND_SESSION_TOKEN}` }
      }
    }
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
    const { config } = boot
    const isScreenReady = watchScreen(world.tmux, formatIdentity(identityOf(call.stream)), config)
    const isWatchedOnScreen = config.ready._tag === "Pane" || config.dialogs.length > 0
    for (let screenAt = 0; ; ) {
      const exit = endOf(folder, memory, name)
      let evidence = readinessOf(boot, reader)
      if (isWatchedOnScreen && evidence === undefined && world.now() >= screenAt) {
        if (yield* isScreenReady) evidence = "pane"
        screenAt = world.now() + screenMs
      }
      if (evidence !== undefined && !exit) return yield* becomeReady(boot, evidence)
      if (exit) {
        return yield* reportEnd(world, call, session, exit, memory.isOwn ? "exit" : "reconcile", name?.pid)
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

/**
 * A fresh session hears its seed before anything else; what is pasted comes in one with the first message, if one waits. Output is then
 * read from its beginning: nothing said so far is lost.
 */
const becomeReady = (boot: Boot, evidence: string): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { world, call, session, config, registration, folder, since } = boot
    const identity = formatIdentity(identityOf(call.stream))
    const { seedPrompt } = registration
    const comesAlone = config.deliver === "stdin" || world.waiting(identity) === 0
    if (session.mode === "fresh" && seedPrompt !== null && comesAlone && !folder.has("seeded")) {
      yield* handOver(world, identity, folder, config)(seedText(config, seedPrompt))
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
