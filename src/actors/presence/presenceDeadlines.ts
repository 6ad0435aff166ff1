/** What happens to a presence when its time has come: the events of its deadlines. */
import type { Offset } from "../../events/Event.js"
import { due } from "../fold.js"
import type { PresenceContext } from "./PresenceContext.js"
import type { PresenceEventOf } from "./PresenceEvent.js"

const incarnationOf = ({ incarnation }: PresenceContext): Offset => incarnation as Offset
const sessionOf = ({ session }: PresenceContext): string => session?.id ?? ""

export const bootTimesOut = (context: PresenceContext) =>
  due<PresenceEventOf<"BootTimedOut">>({
    type: "BootTimedOut",
    incarnation: incarnationOf(context),
    sessionId: sessionOf(context)
  })
export const idlePeriodElapses = (context: PresenceContext) =>
  due<PresenceEventOf<"IdlePeriodElapsed">>({
    type: "IdlePeriodElapsed",
    incarnation: incarnationOf(context),
    sessionId: sessionOf(context)
  })
export const restartFallsDue = (context: PresenceContext) =>
  due<PresenceEventOf<"RestartFellDue">>({ type: "RestartFellDue", incarnation: incarnationOf(context) })
export const holdEnds = (context: PresenceContext) =>
  due<PresenceEventOf<"CrashLoopCleared">>({
    type: "CrashLoopCleared",
    incarnation: incarnationOf(context),
    by: "deadline"
  })
