/** Peers with a screen, for tests: a small program on real tmux. */
import type { HubHandle } from "../../src/hub/startHub.js"
import { notesOf, type PeerSettings, registerProgram } from "./peerHubs.js"

export const screenAgent = new URL("./agents/screen.mjs", import.meta.url).pathname

/** Settings of the runtime `tmux`; its program shows a prompt when it is ready. */
export const screens = (runtime: object = {}): PeerSettings => ({
  runtimes: { tmux: { ready: { pane: "^❯" }, ...runtime } }
})

export const registerOnScreen = (
  hub: HubHandle,
  name: string,
  args: ReadonlyArray<string> = [],
  more: object = {}
) => {
  const launch = { tmux: { args: [process.execPath, screenAgent, ...args] } }
  return registerProgram(hub, name, launch, { runtimes: ["tmux"], ...more })
}

interface ScreenNote {
  readonly started?: string
  readonly pasted?: boolean
  readonly swallowed?: boolean
  readonly answered?: string
  readonly pressed?: string
  readonly interrupted?: boolean
}

export const screenNotes = (folder: string, name: string, runtime = "tmux"): ReadonlyArray<ScreenNote> =>
  notesOf(folder, name, runtime) as ReadonlyArray<ScreenNote>
