/** `waking.deciding`: whether a presence can be started at all, and what there is to go on with (contracts: peers 3.4). */
import { closeSync, openSync, readSync } from "node:fs"
import { Effect } from "effect"
import type { InvocationCall } from "../actors/ActorKind.js"
import type { PresenceCommandOf } from "../actors/presence/PresenceCommand.js"
import type { ProbeInput } from "../actors/presence/presenceInputs.js"
import type { ResumeProbe } from "../config/RuntimeConfig.js"
import { findFiles } from "./findFiles.js"
import { identityOf } from "./identityOf.js"
import { commandsOf, fill, isFolder, locate, type Templates, templatesOf } from "./launch.js"
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
    if (!locate(command, cwd, path ?? "")) return failed("command-missing", command)
    const missing = config.host === "tmux" ? yield* world.tmux.missing : undefined
    if (missing !== undefined) return failed("host-missing", missing)
    return {
      ...nothing,
      canResume: resumeArgv.length > 0,
      isFound: resumeRef !== null && isThere(config.resumeProbe, templates),
      freshArgv,
      resumeArgv
    }
  })

/** Whether the files are there by which a program goes on; without any that are named, it is believed. */
const isThere = (resumeProbe: ResumeProbe | undefined, templates: Templates): boolean => {
  if (!resumeProbe) return true
  const files = findFiles(fill(resumeProbe.glob, templates))
  if (resumeProbe.contains === undefined) return files.length > 0
  const wanted = fill(resumeProbe.contains, templates)
  return files.some((path) => firstLineOf(path).includes(wanted))
}

/** A first line is hardly longer. */
const maxFirstLine = 64 * 1_024

const firstLineOf = (path: string): string => {
  const file = openSync(path, "r")
  try {
    const buffer = Buffer.alloc(maxFirstLine)
    const [line = ""] = buffer.toString("utf8", 0, readSync(file, buffer)).split("\n", 1)
    return line
  } finally {
    closeSync(file)
  }
}
