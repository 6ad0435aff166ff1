/** The hub's kind where no hub runs: it is here for its rules, by which tools record what they have done to a journal. */
import { Effect } from "effect"
import { makeHubKind } from "../actors/hub/hubKind.js"

const notRunning = { run: () => Effect.void, lost: () => ({ type: "StopHub" }) }

export const recordingHubKind = makeHubKind({
  drainTimeoutMs: 0,
  activeWork: () => ({ claims: [], runs: [] }),
  outstanding: () => [],
  invocations: { recover: notRunning, serve: notRunning, drain: notRunning, close: notRunning }
})
