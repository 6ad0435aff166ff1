/** Peers and presences as parts of a hub: their kinds, and what their invocations need of it (contracts: peers 3, 4, 6). */
import { join } from "node:path"
import { Effect } from "effect"
import type { InvocationCall, InvocationDefinition } from "../actors/ActorKind.js"
import { formatIdentity } from "../actors/peer/Identity.js"
import type { PeerCommand } from "../actors/peer/PeerCommand.js"
import type { Registration } from "../actors/peer/PeerEvent.js"
import { makePeerKind, type PeerKind } from "../actors/peer/peerKind.js"
import type { RetirePresencesInput } from "../actors/peer/peerMachine.js"
import type { AcceptedMessage } from "../actors/presence/PresenceEvent.js"
import { makePresenceKind, type PresenceKind } from "../actors/presence/presenceKind.js"
import { environment } from "../config/process.js"
import type { Settings } from "../config/Settings.js"
import { dataOf, type Offset, type RecordedEvent } from "../events/Event.js"
import { countRemoval, findActor } from "../projections/registryQueries.js"
import { type Attachments, makeAttachments } from "../runtimes/Attachments.js"
import type { PeerWorld } from "../runtimes/PeerWorld.js"
import { makePresenceInvocations } from "../runtimes/presenceInvocations.js"
import { makeSessionActions, type SessionActions } from "../runtimes/SessionActions.js"
import { Sessions } from "../runtimes/Sessions.js"
import { makeTmuxHost, type TmuxHost } from "../runtimes/TmuxHost.js"
import type { HubParts } from "./HubParts.js"
import { OrphanCount } from "./OrphanCount.js"
import { answerRole } from "./roleAnswers.js"
import { ToldSenders } from "./ToldSenders.js"

export interface PeerParts {
  readonly peerKind: PeerKind
  readonly presenceKind: PresenceKind
  readonly sessions: Sessions
  readonly sessionsRoot: string
  readonly attachments: Attachments
  readonly tmux: TmuxHost
  readonly sessionActions: SessionActions
  readonly toldSenders: ToldSenders
  readonly orphans: OrphanCount
}

/** How often a removal looks whether its sessions have ended. */
const lookAgainMs = 20

/** `hub` is asked when something runs: the kinds are made before the hub is. */
export const makePeers = (settings: Settings, hub: () => HubParts): PeerParts => {
  const sessions = new Sessions()
  const sessionsRoot = join(settings.stateDir, "sessions")
  const runtimes = settings["peers.runtimes"]
  const attachments = makeAttachments(settings.stateDir)
  const tmux = makeTmuxHost({ ...settings, environment })
  const world = makeWorld(settings, { sessions, sessionsRoot, attachments, tmux }, hub)
  const presenceKind = makePresenceKind(
    {
      maxQueued: settings["peers.queue.max_messages"],
      unarmedMs: settings["peers.ephemeral.unarmed_idle"],
      quietMs: settings["peers.ephemeral.quiet"],
      maxAttempts: settings["peers.queue.max_attempts"],
      maxDeaths: settings["peers.crash_loop.max"],
      deathWindowMs: settings["peers.crash_loop.window"],
      firstRestartMs: settings["peers.restart.first"],
      maxRestartMs: settings["peers.restart.max"],
      healthyAfterMs: settings["peers.restart.healthy_after"],
      canResume: (name) => (runtimes.get(name)?.resumeArgv.length ?? 0) > 0
    },
    makePresenceInvocations(world)
  )
  const peerKind = makePeerKind(
    {
      runtime: (name) => {
        const runtime = runtimes.get(name)
        return (
          runtime && { hasCommand: runtime.argv.length > 0, resumesByFolder: runtime.resumeBy === "folder" }
        )
      },
      upState: (identity) => presenceKind.index.upState(identity)
    },
    { retirePresences: retirePresences(hub) }
  )
  const sessionActions = makeSessionActions(world)
  const toldSenders = new ToldSenders()
  const own = { sessions, sessionsRoot, attachments, tmux, sessionActions }
  return { peerKind, presenceKind, ...own, toldSenders, orphans: new OrphanCount() }
}

const makeWorld = (
  settings: Settings,
  own: Pick<PeerParts, "sessions" | "sessionsRoot" | "attachments" | "tmux">,
  hub: () => HubParts
): PeerWorld => ({
  ...own,
  sessionsKept: settings["peers.sessions_kept"],
  outputMax: settings["peers.output_max"],
  isQuiet: (identity) => hub().presenceKind.index.get(identity)?.state === "live.waiting",
  waiting: (identity) => hub().presenceKind.index.get(identity)?.waiting ?? 0,
  runtime: (name) => settings["peers.runtimes"].get(name),
  bootMs: settings["peers.boot"],
  idleMs: settings["peers.idle"],
  registration: (personality) =>
    Effect.orDie(
      Effect.map(
        findActor(hub().projector.read, `peer/${personality}`),
        (row) => row && (JSON.parse(row.detail) as Registration)
      )
    ),
  message: (offset) =>
    Effect.orDie(
      Effect.map(hub().journal.read((offset - 1) as Offset, 1), ([event]) =>
        dataOf<AcceptedMessage>(event as RecordedEvent)
      )
    ),
  send: (from, { mound: _, ...letter }) =>
    letter.to === "hub"
      ? answerRole(hub(), from, letter)
      : Effect.match(hub().postman.send(from, letter), {
          onFailure: ({ reason }): string | undefined => reason._tag,
          onSuccess: () => undefined
        }),
  report: (identity, command, commandId) =>
    hub().system.send(hub().presenceKind, identity, command, { by: identity, commandId }),
  mayBoot: () =>
    hub().hub().name === "ready" &&
    hub().presenceKind.index.count("waking.booting") < settings["peers.max_booting"],
  workspace: settings.workspace,
  url: () => hub().hub().context.url ?? "",
  environment,
  now: () => hub().clock.now()
})

/** `removing`: ends what a peer has running, and says what that cost. */
const retirePresences = (hub: () => HubParts): InvocationDefinition => ({
  run: (call: InvocationCall) =>
    Effect.gen(function* () {
      const { system, presenceKind, projector } = hub()
      const { personality, runtimes, since } = call.invocation.input as RetirePresencesInput
      const identities = runtimes.map((runtime) => formatIdentity({ runtime, personality }))
      const retire = Effect.forEach(
        identities,
        (identity) => system.send(presenceKind, identity, { type: "RetirePresence" }, { by: "hub" }),
        { concurrency: "unbounded", discard: true }
      )
      yield* retire
      while (identities.some((identity) => presenceKind.index.get(identity))) yield* Effect.sleep(lookAgainMs)
      // Answered after everything before it is committed, so that what is counted next is all there is.
      yield* retire
      const cost = yield* countRemoval(projector.read, personality, since)
      const done: PeerCommand = { type: "CompleteRemoval", ...cost }
      yield* call.send(done)
    }).pipe(Effect.orDie),
  lost: (): PeerCommand => ({ type: "CompleteRemoval", sessionsEnded: 0, messagesFailed: 0 })
})
