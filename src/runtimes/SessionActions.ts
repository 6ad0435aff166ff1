/** What people do to a session that runs: look at it, interrupt it, have its memory made smaller (contracts: peers 4, 5). */
import { Effect } from "effect"
import { formatIdentity, type Identity } from "../actors/peer/Identity.js"
import type { RuntimeConfig } from "../config/RuntimeConfig.js"
import { processRuntime } from "../config/runtimePresets.js"
import { handOver } from "./delivery.js"
import { fill, templatesOf } from "./launch.js"
import type { PeerWorld } from "./PeerWorld.js"
import { writeLine } from "./ProcessHost.js"
import { membersOf, signal } from "./ProcessTable.js"
import { SessionFolder } from "./SessionFolder.js"
import { Transcript } from "./Transcript.js"

export interface RunningSession {
  readonly identity: Identity
  readonly sessionId: string
  readonly pid: number | null
}

export interface SessionActions {
  /** The command by which a person sees what a session shows; undefined where it has no screen. */
  readonly target: (identity: Identity) => ReadonlyArray<string> | undefined
  /** False where its runtime has no way to be interrupted. */
  readonly interrupt: (session: RunningSession) => Effect.Effect<boolean>
  readonly canCompact: (runtime: string) => boolean
  /**
   * Asks it to make its memory smaller. Completes with whether its transcript has shown that it did; one that says so itself does that
   * by a control line.
   */
  readonly compact: (session: RunningSession) => Effect.Effect<boolean>
}

/** How often a transcript is looked at. */
const lookAgainMs = 100

export const makeSessionActions = (world: PeerWorld): SessionActions => {
  const configOf = ({ runtime }: Identity): RuntimeConfig => world.runtime(runtime) ?? processRuntime
  const folderOf = ({ sessionId }: RunningSession) => new SessionFolder(world.sessionsRoot, sessionId)

  return {
    target: (identity) =>
      configOf(identity).host === "tmux" ? world.tmux.target(formatIdentity(identity)) : undefined,
    interrupt: (session) => {
      const { identity, sessionId, pid } = session
      const { interrupt, host } = configOf(identity)
      if (interrupt._tag === "Keys") {
        return Effect.isSuccess(world.tmux.press(formatIdentity(identity), interrupt.keys))
      }
      return Effect.gen(function* () {
        for (const member of pid === null ? [] : membersOf(pid, sessionId)) signal(member, "SIGINT")
        // One that heeds no signal may heed its line.
        if (host === "process") {
          const line = JSON.stringify({ type: "interrupt" })
          yield* Effect.timeoutOption(
            writeLine(folderOf(session), world.sessions.of(sessionId), line),
            lineMs
          )
        }
        return true
      })
    },
    canCompact: (runtime) => world.runtime(runtime)?.compact._tag !== "Unsupported",
    compact: (session) =>
      Effect.gen(function* () {
        const { identity, sessionId } = session
        const config = configOf(identity)
        const { compact, transcript } = config
        const folder = folderOf(session)
        if (compact._tag === "Unsupported") return false
        if (compact._tag === "Control") {
          const line = JSON.stringify({ type: "compact" })
          yield* Effect.timeoutOption(writeLine(folder, world.sessions.of(sessionId), line), lineMs)
          return false
        }
        const registration = yield* world.registration(identity.personality)
        if (!registration || transcript === undefined) return false
        const templates = templatesOf(world, identity, registration, sessionId, null)
        const written = new Transcript(folder, fill(transcript, templates))
        const before = written.sizes()
        yield* handOver(world, formatIdentity(identity), folder, config)(compact.text)
        const seen = Effect.repeat(
          Effect.delay(
            Effect.sync(() => written.hasSince(before, compact.match)),
            lookAgainMs
          ),
          { until: (isThere) => isThere }
        )
        return (yield* Effect.timeoutOption(seen, compact.withinMs))._tag === "Some"
      })
  }
}

/** One that does not read its lines is not waited for. */
const lineMs = 5_000
