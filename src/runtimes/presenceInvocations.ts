/** What runs in the states of a presence. One that dies by a defect is forked again three times before that is recorded. */
import { Cause, Effect, Schedule } from "effect"
import type { InvocationCall, InvocationDefinition } from "../actors/ActorKind.js"
import type { PresenceCommand } from "../actors/presence/PresenceCommand.js"
import type { SessionInput } from "../actors/presence/presenceInputs.js"
import type { PresenceInvocations } from "../actors/presence/presenceKind.js"
import { makeAttend } from "./attend.js"
import { makeBringUp } from "./bringUp.js"
import { makeDrain } from "./drain.js"
import { makeEndSession } from "./endSession.js"
import { makeExamine } from "./examine.js"
import type { PeerWorld } from "./PeerWorld.js"
import { makeProbe } from "./probe.js"

const triesAgain = 3
const againMs = 500

const persistently = (run: (call: InvocationCall) => Effect.Effect<void>) => (call: InvocationCall) =>
  run(call).pipe(
    Effect.sandbox,
    Effect.retry({
      times: triesAgain,
      schedule: Schedule.spaced(againMs),
      while: (cause) => !Cause.isInterruptedOnly(cause)
    }),
    Effect.catchAll(Effect.failCause)
  )

/** Whoever watches a session and cannot any more leaves it to be ended. */
const endByFault: InvocationDefinition["lost"] = (_cause, { input }): PresenceCommand => ({
  type: "EndSession",
  sessionId: (input as SessionInput).session.id,
  reason: "hub-fault"
})

export const makePresenceInvocations = (world: PeerWorld): PresenceInvocations => ({
  probe: {
    run: persistently(makeProbe(world)),
    isStanding: true,
    lost: (cause): PresenceCommand => ({
      type: "ReportProbe",
      sessionId: "",
      problem: { reason: "spawn-error", detail: String(Cause.squash(cause)) },
      host: "",
      canResume: false,
      isFound: false,
      freshArgv: [],
      resumeArgv: [],
      cwd: "",
      bootMs: 0,
      idleMs: 0
    })
  },
  bringUp: { run: persistently(makeBringUp(world)), lost: endByFault },
  attend: { run: persistently(makeAttend(world)), isStanding: true, lost: endByFault },
  drain: { run: persistently(makeDrain(world)), lost: endByFault },
  examine: { run: persistently(makeExamine(world)), lost: endByFault },
  endSession: { run: persistently(makeEndSession(world)), lost: endByFault }
})
