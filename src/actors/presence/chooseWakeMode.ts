/** Fresh or resumed, why, and from which events that was decided (contracts: peers 3.3; the numbers are its rows). */
import type { Offset } from "../../events/Event.js"
import type { PresenceCommandOf } from "./PresenceCommand.js"
import type { PresenceContext } from "./PresenceContext.js"
import type { PresenceEventOf } from "./PresenceEvent.js"

type Chosen = PresenceEventOf<"WakeModeChosen">

export type WakeChoice =
  | (Pick<Chosen, "mode" | "cause"> & { readonly basis: ReadonlyArray<Offset> })
  | { readonly mode: "none"; readonly basis: ReadonlyArray<Offset> }

type Found = Pick<PresenceCommandOf<"ReportProbe">, "canResume" | "isFound">

export const chooseWakeMode = (context: PresenceContext, { canResume, isFound }: Found): WakeChoice => {
  const { wake, eager, queue, freshNext, memory, lastEnd, declaredAt, resume, wakePolicy, lineage } = context
  const isResumable = canResume && isFound && lineage.resumeRef !== null
  const fresh = (cause: Chosen["cause"], ...basis: ReadonlyArray<Offset | null | undefined>): WakeChoice => ({
    mode: "fresh",
    cause,
    basis: basis.filter((offset) => typeof offset === "number")
  })
  const resumed = (
    cause: Chosen["cause"],
    ...basis: ReadonlyArray<Offset | null | undefined>
  ): WakeChoice => ({
    mode: "resume",
    cause,
    basis: [...basis, lineage.resumeRef?.offset].filter((offset) => typeof offset === "number")
  })
  // 1-3: somebody wants a fresh one.
  if (eager) return fresh(eager.reason === "renew" ? "renew" : "eager-fresh", eager.offset)
  if (wake?.intent === "fresh") return fresh("operator-fresh", wake.offset)
  // 4: somebody wants to go on.
  if (wake?.intent === "resume") {
    if (isResumable) return resumed("attach", wake.offset)
    if (queue.length === 0) return { mode: "none", basis: [wake.offset] }
  }
  // 5: fresh was asked for in advance.
  if (freshNext !== null) return fresh("soft-reload", freshNext)
  // 6: each message has a session of its own.
  if (wakePolicy === "ephemeral") return fresh("ephemeral-policy", declaredAt, queue[0]?.offset)
  // 7-8: there is nothing to go on with.
  if (memory === "gone") return fresh("crash-or-self-close", lastEnd?.offset)
  if (memory === "neverRun") return fresh("first-wake", declaredAt)
  // 9-13: it was parked.
  if (resume === "always") {
    return isResumable
      ? resumed("idle-reaped-human", lastEnd?.offset)
      : fresh("idle-reaped-human-no-resume", lastEnd?.offset)
  }
  if (resume === "never" || !canResume) return fresh("idle-reaped-no-resume", lastEnd?.offset)
  const [head] = queue
  const topic = topicOf(context)
  const asker = head?.offset ?? wake?.offset
  if (topic === null) return fresh("idle-reaped-no-topic", lastEnd?.offset, asker)
  const known = lineage.topics.find((each) => each.topic === topic)
  if (!known) return fresh("idle-reaped-new-topic", lastEnd?.offset, asker)
  return isResumable
    ? resumed("idle-reaped-resume", lastEnd?.offset, asker, known.offset)
    : fresh("idle-reaped-no-resume", lastEnd?.offset, asker, known.offset)
}

/** The queue head's topic, or that of whoever asked. */
export const topicOf = ({ queue, wake }: PresenceContext): string | null =>
  queue[0] ? queue[0].topic : (wake?.topic ?? null)

/** What brought it to waking. */
export const triggerOf = ({ wake, eager, queue }: PresenceContext): Chosen["trigger"] => {
  if (wake) return wake.trigger
  if (eager) return "renew"
  return queue.length > 0 ? "message" : "always-on"
}
