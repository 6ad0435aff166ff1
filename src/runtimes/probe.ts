/** `waking.deciding`: whether a presence can be started at all, and what there is to go on with (contracts: peers 3.4). */
import { Effect } from "effect"
import type { InvocationCall } from "../actors/ActorKind.js"
import type { PresenceCommandOf } from "../actors/presence/PresenceCommand.js"
import type { ProbeInput } from "../actors/presence/presenceMachine.js"
import { identityOf } from "./identityOf.js"
import { commandsOf, isCommand, isFolder, templatesOf } from "./launch.js"
import type { PeerWorld } from "./PeerWorld.js"
import { ulid } from "./ulid.js"

/** How often one that must wait looks again. */
const lookAgainMs = 50

export const makeProbe = (world: PeerWorld) => {
  // One at a time, so that no two take the last place among those that boot.
  const turn = Effect.unsafeMakeSemaphore(1)
  const awaitTurn: Effect.Effect<void> = Effect.suspend(() =>
    world.mayBoot() ? Effect.void : Effect.delay(awaitTurn, lookAgainMs)
  )
  return (call: InvocationCall): Effect.Effect<void> =>
    turn.withPermits(1)(
      Effect.zipRight(
        awaitTurn,
        Effect.flatMap(find(world, call), (report) => Effect.orDie(call.send(report)))
      )
    )
}

type Found = PresenceCommandOf<"ReportProbe">

const find = (world: PeerWorld, { stream, invocation }: InvocationCall): Effect.Effect<Found> =>
  Effect.gen(function* () {
    const identity = identityOf(stream)
    const { resumeRef } = invocation.input as ProbeInput
    const registration = yield* world.registration(identity.personality)
    const config = world.runtime(identity.runtime)
    const sessionId = yield* ulid(world.now())
    const nothing: Found = {
      type: "ReportProbe",
      sessionId,
      host: config?.host ?? "",
      canResume: false,
      isFound: false,
      freshArgv: [],
      resumeArgv: [],
      cwd: registration?.cwd ?? "",
      bootMs: world.bootMs ?? config?.bootMs ?? 0,
      idleMs: world.idleMs
    }
    const failed = (reason: NonNullable<Found["problem"]>["reason"], detail: string): Found => ({
      ...nothing,
      problem: { reason, detail }
    })
    if (!registration || !config) return failed("runtime-unknown", identity.runtime)
    const { cwd } = registration
    if (!isFolder(cwd)) return failed("cwd-missing", cwd)
    const templates = templatesOf(world, identity, registration, sessionId, resumeRef)
    const { freshArgv, resumeArgv } = commandsOf(config, registration, identity.runtime, templates)
    const [command = ""] = freshArgv
    const path = registration.launch[identity.runtime]?.env.PATH ?? config.env.PATH ?? world.environment.PATH
    if (!isCommand(command, cwd, path ?? "")) return failed("command-missing", command)
    return {
      ...nothing,
      canResume: resumeArgv.length > 0,
      isFound: resumeRef !== null,
      freshArgv,
      resumeArgv
    }
  })
