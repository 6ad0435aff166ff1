/**
 * `live.delivering`: hands one message to a session and waits for evidence that it arrived. Evidence ends the state, and this with
 * it; without any, it is reported so (contracts: peers 3.5).
 */
import { join } from "node:path"
import { Effect } from "effect"
import type { InvocationCall } from "../actors/ActorKind.js"
import { formatIdentity } from "../actors/peer/Identity.js"
import type { PresenceCommand } from "../actors/presence/PresenceCommand.js"
import type { InFlight, Launched } from "../actors/presence/PresenceContext.js"
import type { Evidence } from "../actors/presence/PresenceEvent.js"
import type { PresenceState } from "../actors/presence/PresenceIndex.js"
import type { SessionInput } from "../actors/presence/presenceInputs.js"
import type { RuntimeConfig } from "../config/RuntimeConfig.js"
import { processRuntime } from "../config/runtimePresets.js"
import { handOver, messageText, seedText } from "./delivery.js"
import { identityOf } from "./identityOf.js"
import { fill, templatesOf } from "./launch.js"
import type { PeerWorld } from "./PeerWorld.js"
import { SessionFolder } from "./SessionFolder.js"
import { namesMessage, Transcript } from "./Transcript.js"

/** How often a transcript is looked at. */
const lookAgainMs = 100

export const makeDrain =
  (world: PeerWorld) =>
  (call: InvocationCall): Effect.Effect<void> =>
    Effect.gen(function* () {
      const { session } = call.invocation.input as SessionInput
      const begin: PresenceCommand = { type: "BeginDelivery", sessionId: session.id }
      const { state, events } = yield* Effect.orDie(call.send(begin))
      const { inFlight } = (state as PresenceState).context
      // Nothing in hand: the state was left while this was on its way.
      if (!inFlight) return
      const config = world.runtime(identityOf(call.stream).runtime) ?? processRuntime
      const since = world.now()
      const { messageId, attempts } = inFlight
      const until = since + config.confirmWithinMs
      // One that was in hand before has perhaps been written: it gets its whole time, and is not written twice for it.
      const isNew = events.length > 0
      yield* Effect.timeoutOption(
        deliver(world, call, session, config, inFlight, isNew),
        config.confirmWithinMs
      )
      yield* Effect.sleep(Math.max(0, until - world.now()))
      const report: PresenceCommand = {
        type: "ReportNoEvidence",
        sessionId: session.id,
        messageId,
        attempt: attempts,
        waitedMs: world.now() - since,
        // What was pasted stands on the screen, whether it was seen or not: the same session does not get it twice.
        final: config.deliver === "paste"
      }
      yield* Effect.orDie(call.send(report))
    })

/** Hands it over, if it was not, and looks for the evidence that nobody else tells of. */
const deliver = (
  world: PeerWorld,
  call: InvocationCall,
  session: Launched,
  config: RuntimeConfig,
  inFlight: InFlight,
  isNew: boolean
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const identity = formatIdentity(identityOf(call.stream))
    const folder = new SessionFolder(world.sessionsRoot, session.id)
    const { messageId, attempts } = inFlight
    const confirm = (evidence: typeof Evidence.Type) => {
      const confirmed: PresenceCommand = { type: "ConfirmDelivery", messageId, evidence }
      return Effect.asVoid(Effect.orDie(call.send(confirmed)))
    }
    const transcript = yield* transcriptOf(world, call, session, config)
    const mark = transcript?.mark(`${messageId} ${attempts}`)
    if (isNew) {
      const text = yield* textOf(world, call, session, config, folder, inFlight)
      const isTaken = yield* handOver(world, identity, folder, config)(text)
      if (isTaken && config.confirm === "written") return yield* confirm("written")
    }
    const resubmitAt = world.now() + config.resubmitAfterMs
    for (let isToSubmit = isNew && config.deliver === "paste"; transcript || isToSubmit; ) {
      if (transcript && mark && transcript.hasSince(mark, namesMessage(messageId))) {
        return yield* confirm("transcript")
      }
      if (isToSubmit && world.now() >= resubmitAt) {
        isToSubmit = false
        yield* Effect.ignore(world.tmux.press(identity, config.submit))
      }
      yield* Effect.sleep(lookAgainMs)
    }
  })

/** Where the message will be written down, if that is its evidence. */
const transcriptOf = (
  world: PeerWorld,
  call: InvocationCall,
  session: Launched,
  { confirm, transcript }: RuntimeConfig
): Effect.Effect<Transcript | undefined> =>
  Effect.gen(function* () {
    if (confirm !== "transcript" || transcript === undefined) return undefined
    const identity = identityOf(call.stream)
    const registration = yield* world.registration(identity.personality)
    if (!registration) return undefined
    const templates = templatesOf(world, identity, registration, session.id, null)
    return new Transcript(new SessionFolder(world.sessionsRoot, session.id), fill(transcript, templates))
  })

/** The message, behind the seed where a fresh session has not had it: what is pasted is pasted at once. */
const textOf = (
  world: PeerWorld,
  call: InvocationCall,
  session: Launched,
  config: RuntimeConfig,
  folder: SessionFolder,
  { offset, messageId, attempts }: InFlight
): Effect.Effect<string> =>
  Effect.gen(function* () {
    const message = yield* world.message(offset)
    const files = yield* world.attachments.deliver(
      message.attachments,
      join(folder.path, "attachments", messageId)
    )
    const text = messageText(config, message, attempts, files)
    if (config.deliver !== "paste" || session.mode !== "fresh" || folder.has("seeded")) return text
    const registration = yield* world.registration(identityOf(call.stream).personality)
    const seed = registration?.seedPrompt ?? null
    if (seed === null) return text
    folder.write("seeded", "")
    return `${seedText(config, seed)}\n\n${text}`
  })
