/** What runs in the states of a presence is told so much of it. */
import type { Launched, PresenceContext, Session } from "./PresenceContext.js"

/** What `probe` is told: the session that would be gone on with. */
export interface ProbeInput {
  readonly resumeRef: string | null
}

/** What the other invocations are told. One that is told something else begins anew: nothing in it changes while they work. */
export interface SessionInput {
  readonly session: Launched
}

/** An examination begins anew with what has happened since. */
export interface ExamineInput extends SessionInput {
  readonly activeAt: number
  readonly idleMs: number | null
}

interface Given {
  readonly context: PresenceContext
}

/** Before its process is known, which becomes so meanwhile. */
export const launchInput = ({ context }: Given): SessionInput => {
  const { id, mode, host, argv, cwd } = context.session as Session
  return { session: { id, mode, host, argv, cwd, process: null } }
}

export const sessionInput = ({ context }: Given): SessionInput => ({
  session: { ...launchInput({ context }).session, process: context.session?.process ?? null }
})

export const examineInput = ({ context }: Given): ExamineInput => {
  const { activeAt, idleMs } = context.session as Session
  return { ...sessionInput({ context }), activeAt, idleMs }
}
