/** What the reports of a presence's own invocations lead to. One about a session that is over changes nothing. */
import { unchanged } from "../ActorKind.js"
import { chooseWakeMode, topicOf, triggerOf } from "./chooseWakeMode.js"
import { endSession, failDecision, failSpawn } from "./decideEnd.js"
import type { Facts, PresenceRules } from "./decidePresence.js"
import type { PresenceCommand, PresenceCommandOf } from "./PresenceCommand.js"
import type { PresenceState } from "./PresenceIndex.js"

const reports = [
  "ReportProbe",
  "ReportSpawned",
  "ReportSpawnFailed",
  "ReportReady",
  "ReportSessionEnded",
  "ReportActivity",
  "ConsultSession",
  "BeginDelivery",
  "ReportNoEvidence",
  "EndSession"
] as const
export type Report = PresenceCommandOf<(typeof reports)[number]>

export const isReport = (command: PresenceCommand): command is Report =>
  (reports as ReadonlyArray<string>).includes(command.type)

interface Now {
  readonly now: number
  readonly rules: PresenceRules
}

export const decideReport = (state: PresenceState, report: Report, { now, rules }: Now): Facts => {
  const { name, context } = state
  if (report.type === "ReportProbe") {
    return name === "waking.deciding" ? decideWake(state, report, rules) : unchanged
  }
  const { session } = context
  if (session?.id !== report.sessionId) return unchanged
  switch (report.type) {
    case "ReportSpawned": {
      const { type: _, ...spawned } = report
      if (name !== "waking.booting" || session.process) return unchanged
      return [{ type: "SessionSpawned", ...spawned }]
    }
    case "ReportSpawnFailed":
      return name === "waking.booting"
        ? failSpawn(context, report.reason, report.detail, rules, now)
        : unchanged
    case "ReportReady": {
      const { type: _, ...ready } = report
      return name === "waking.booting" ? [{ type: "SessionReady", ...ready }] : unchanged
    }
    case "ReportSessionEnded":
      return endSession(context, session, report, rules, now)
    case "ReportActivity": {
      const { kind, activeAt, outputOffset = null } = report
      const isNews = activeAt > session.activeAt || name === "live.examining" || outputOffset !== null
      if (!name.startsWith("live.") || !isNews) return unchanged
      return [{ type: "ActivityObserved", sessionId: session.id, kind, activeAt, outputOffset }]
    }
    case "ConsultSession":
      return unchanged
    case "BeginDelivery": {
      const [head] = context.queue
      if (name !== "live.delivering" || context.inFlight || !head) return unchanged
      const { messageId, attempts, topic } = head
      const attempt = attempts + 1
      return [{ type: "DeliveryAttempted", messageId, attempt, sessionId: session.id, topic }]
    }
    case "ReportNoEvidence": {
      const { messageId, attempt, waitedMs } = report
      const final = report.final === true || attempt >= rules.maxAttempts
      const { inFlight } = context
      if (inFlight?.messageId !== messageId || inFlight.attempts !== attempt) return unchanged
      return [{ type: "DeliveryUnconfirmed", messageId, attempt, waitedMs, final }]
    }
    case "EndSession":
      return endOnRequest(state, report)
  }
}

const decideWake = (
  { context }: PresenceState,
  report: PresenceCommandOf<"ReportProbe">,
  rules: PresenceRules
): Facts => {
  const { problem, sessionId, host, freshArgv, resumeArgv, cwd, bootMs, idleMs } = report
  if (problem) return failDecision(context, problem.reason, problem.detail, rules)
  const choice = chooseWakeMode(context, report)
  if (choice.mode === "none") {
    return failDecision(context, "nothing-to-resume", "no session to go on with was found", rules)
  }
  const isResumed = choice.mode === "resume"
  return [
    {
      type: "WakeModeChosen",
      sessionId,
      ...choice,
      resumeRef: isResumed ? (context.lineage.resumeRef?.sessionId ?? null) : null,
      trigger: triggerOf(context),
      topic: topicOf(context),
      host,
      argv: isResumed ? resumeArgv : freshArgv,
      cwd,
      bootMs,
      ...idleTimes(context, idleMs, rules)
    }
  ]
}

/** Null where it is never ended as idle: an always-on presence is up as long as it can be. */
const idleTimes = (
  { restart, wakePolicy }: PresenceState["context"],
  idleMs: number,
  { unarmedMs, quietMs }: PresenceRules
) => {
  const isEphemeral = wakePolicy === "ephemeral"
  const waits = isEphemeral ? unarmedMs : idleMs
  return { idleMs: restart === "always" ? null : waits, quietMs: isEphemeral ? quietMs : null }
}

/** Only an examination may find a session idle: what happened since it began has taken the state away from it. */
const endOnRequest = (
  { name, context }: PresenceState,
  { sessionId, reason, idleForMs }: PresenceCommandOf<"EndSession">
): Facts => {
  const isUp = name === "waking.booting" || name.startsWith("live.")
  if (reason === "idle" ? name !== "live.examining" : !isUp) return unchanged
  const { session } = context
  const isEphemeral = reason === "idle" && session !== null && session.quietMs !== null
  const mayResume = !isEphemeral && (session?.readyAt !== null || session.mode === "resume")
  const kept = mayResume ? "parked" : "discarded"
  const ofOneMessage = session?.isFinished ? "ephemeral-done" : "ephemeral-unarmed"
  return [
    {
      type: "SessionEndRequested",
      sessionId,
      reason: isEphemeral ? ofOneMessage : reason,
      disposition: reason === "hub-fault" ? "gone" : kept,
      idleForMs: idleForMs ?? null
    }
  ]
}
