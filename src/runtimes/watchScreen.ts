/**
 * Whether a session's screen shows that it takes messages. A question that is on it is answered first, one at a time, so that each
 * answer is seen before the next is given (contracts: peers 4).
 */
import { Effect } from "effect"
import type { Dialog, Readiness } from "../config/RuntimeConfig.js"
import type { TmuxHost } from "./TmuxHost.js"

/** How often a screen is looked at. */
export const screenMs = 500
/** Frames in a row that must show it: a single one may be on its way to something else. */
const framesWanted = 2

/** Looks once; completes with whether it is ready by now. */
export const watchScreen = (
  tmux: TmuxHost,
  identity: string,
  { ready, dialogs }: { readonly ready: Readiness; readonly dialogs: ReadonlyArray<Dialog> }
): Effect.Effect<boolean> => {
  let frames = 0
  return Effect.gen(function* () {
    const screen = yield* tmux.screen(identity)
    const dialog = dialogs.find(({ when, and }) => when.test(screen) && (and?.test(screen) ?? true))
    if (dialog) {
      frames = 0
      yield* Effect.ignore(tmux.press(identity, dialog.keys))
      return false
    }
    frames = ready._tag === "Pane" && ready.pattern.test(screen) ? frames + 1 : 0
    return frames >= framesWanted
  })
}
