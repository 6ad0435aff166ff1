/** Real hubs with real peers: small scripts in folders that go when the scope closes, and their processes with them. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import type { PresenceCommand } from "../../src/actors/presence/PresenceCommand.js"
import type { PresenceState } from "../../src/actors/presence/PresenceIndex.js"
import { loadSettings } from "../../src/config/Settings.js"
import type { Offset, RecordedEvent } from "../../src/events/Event.js"
import * as inlineWriter from "../../src/hub/inlineWriter.js"
import { type HubHandle, startHub } from "../../src/hub/startHub.js"
import { membersOf } from "../../src/runtimes/ProcessTable.js"
import { reapOrphans } from "../../src/runtimes/reapOrphans.js"
import { temporaryFolder } from "./stores.js"

export const agent = new URL("./agents/agent.mjs", import.meta.url).pathname

/** Settings under `peers.`, and of the runtime `process`. */
export interface PeerSettings {
  readonly peers?: object
  readonly process?: object
  /** Other runtimes. */
  readonly runtimes?: object
}

/** Sessions of tests are ready when they say so: how long they live meanwhile depends on the machine. */
const onlyByControl = { line: "^only by a control line$" }

/** A workspace of its own; whatever its hubs leave running ends with the scope. */
export const workspace = ({
  peers = {},
  process = {},
  runtimes: more = {}
}: PeerSettings = {}): Effect.Effect<string, never, Scope.Scope> => {
  const runtimes = { process: { ready: onlyByControl, ...process }, ...more }
  return Effect.tap(temporaryFolder, (folder) =>
    Effect.acquireRelease(
      Effect.sync(() =>
        writeFileSync(join(folder, "mound.yaml"), JSON.stringify({ peers: { ...peers, runtimes } }))
      ),
      () => reapOrphans(join(folder, ".mound", "sessions"), () => false)
    )
  )
}

export const hubIn = (folder: string): Effect.Effect<HubHandle, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { settings } = yield* loadSettings({
      workspace: folder,
      environment: {},
      flags: { "http.port": "0" }
    })
    return yield* startHub(settings, "test", { writer: inlineWriter.layer })
  }).pipe(Effect.orDie)

/** Registers a peer that runs the test's agent with these arguments, in a folder of its own. */
export const register = (hub: HubHandle, name: string, args: ReadonlyArray<string> = [], more: object = {}) =>
  registerProgram(hub, name, { process: { args: [process.execPath, agent, ...args] } }, more)

type Launches = { readonly [runtime: string]: { readonly args: ReadonlyArray<string> } }

/** Registers a peer in a folder of its own, with what its runtimes start. */
export const registerProgram = (hub: HubHandle, name: string, launch: Launches, more: object = {}) => {
  const { system, peerKind, settings } = hub.parts
  const cwd = join(settings.workspace, name)
  mkdirSync(cwd, { recursive: true })
  return Effect.orDie(
    system.send(peerKind, name, { type: "RegisterPeer", cwd, launch, ...more }, { by: "test" })
  )
}

export const tell = (hub: HubHandle, identity: string, command: PresenceCommand) =>
  hub.parts.system.send(hub.parts.presenceKind, identity, command, { by: "test" })

export const write = (
  hub: HubHandle,
  to: string,
  messageId: string,
  body = "hello",
  more: { readonly topic?: string } = {}
) =>
  hub.parts.postman.send({ personality: "operator", runtime: "operator" }, { to, messageId, body, ...more })

/** How long what must happen may take on a machine that is busy; what is waited for ends the wait. */
const patienceMs = 60_000

/** Every event of the hub so far. */
export const eventsOf = (hub: HubHandle, stream?: string): Effect.Effect<ReadonlyArray<RecordedEvent>> =>
  Effect.orDie(hub.parts.journal.read(0 as Offset, 100_000, stream as never))

/** The first event that fits, as soon as it is committed. */
export const awaitEvent = (
  hub: HubHandle,
  fits: (event: RecordedEvent) => boolean,
  after = 0
): Effect.Effect<RecordedEvent> =>
  Effect.gen(function* () {
    const { journal } = hub.parts
    for (let cursor = after as Offset; ; ) {
      const page = yield* journal.read(cursor, 1_000)
      const found = page.find(fits)
      if (found) return found
      cursor = page.at(-1)?.offset ?? cursor
      yield* journal.awaitBeyond(cursor)
    }
  }).pipe(
    Effect.timeoutFail({ duration: patienceMs, onTimeout: () => new Error("it did not happen") }),
    Effect.tapError(() =>
      Effect.flatMap(eventsOf(hub), (events) =>
        Effect.sync(() => {
          for (const { offset, stream, type, state, data } of events)
            process.stderr.write(
              `${offset} ${stream} ${type} -> ${state} ${JSON.stringify(data).slice(0, 200)}\n`
            )
        })
      )
    ),
    Effect.orDie
  )

/** An event of a presence, by type and what it holds. */
export const awaitPresence = (
  hub: HubHandle,
  identity: string,
  type: string,
  holds: object = {},
  after = 0
): Effect.Effect<RecordedEvent> =>
  awaitEvent(
    hub,
    (event) =>
      event.stream === `presence/${identity}` &&
      event.type === type &&
      Object.entries(holds).every(([key, value]) => event.data[key] === value),
    after
  )

/** The state that a presence comes to be in. */
export const awaitState = (hub: HubHandle, identity: string, state: string, after = 0) =>
  awaitEvent(hub, (event) => event.stream === `presence/${identity}` && event.state === state, after)

export const typesOf = (hub: HubHandle, identity: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(eventsOf(hub, `presence/${identity}`), (events) => events.map(({ type }) => type))

export interface Noted {
  readonly pid: number
  readonly started?: string
  readonly argv?: ReadonlyArray<string>
  readonly grandchild?: number
  readonly got?: {
    readonly type: string
    readonly messageId?: string
    readonly body: string
    readonly attempt?: number
  }
}

/** What the agent of an identity noted. */
export const notesOf = (folder: string, name: string, runtime = "process"): ReadonlyArray<Noted> => {
  const path = join(folder, name, `${runtime}-${name}.log`)
  if (!existsSync(path)) return []
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Noted)
}

/** The bodies that it got as messages, in order. */
export const bodiesOf = (folder: string, name: string, runtime = "process"): ReadonlyArray<string> =>
  notesOf(folder, name, runtime).flatMap(({ got }) => (got?.type === "message" ? [got.body] : []))

/** The processes of a session's group that run. */
export const processesOf = (event: RecordedEvent): ReadonlyArray<number> =>
  membersOf(Number(event.data.pid), String(event.data.sessionId))

export type { PresenceState }
