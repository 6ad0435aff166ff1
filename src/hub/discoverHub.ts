/**
 * Whether a workspace's hub is there (contracts: hub 3.3). Only an answer with the boot id of `hub.json` counts as life, and only a
 * free lock as its absence; a pid, an open port or a stranger's answer proves nothing. Starts nothing and writes nothing.
 */
import { Effect, Option, Schema } from "effect"
import * as WriterLock from "../events/WriterLock.js"
import { askHub } from "../http/askHub.js"
import { lockPath } from "./holdLock.js"
import { type HubFile, processStartedAt, readHubFile, tokenIn } from "./hubFile.js"

export type Discovery =
  /** It answers, and it is the one that `hub.json` names. */
  | { readonly result: "running"; readonly hub: HubFile; readonly state: string }
  /** Somebody holds the lock and does not answer: starting, frozen, or cut off from its port. `pid` is set when it is proved. */
  | { readonly result: "unreachable"; readonly pid: number | null }
  | { readonly result: "stopped" }

const askMs = 1_000

export const discoverHub = (stateDir: string): Effect.Effect<Discovery> =>
  Effect.gen(function* () {
    const hub = readHubFile(stateDir)
    if (hub) {
      const state = yield* stateOf(stateDir, hub)
      if (state !== undefined) return { result: "running", hub, state }
    }
    if (!(yield* WriterLock.isHeld(lockPath(stateDir)))) return { result: "stopped" }
    return { result: "unreachable", pid: hub && isItsProcess(hub) ? hub.pid : null }
  })

/** Whether the process that `hub.json` names still runs, and is not another one that was given its number. */
const isItsProcess = ({ pid, pidStartedAt }: HubFile): boolean =>
  pidStartedAt !== null && processStartedAt(pid) === pidStartedAt

const Ready = Schema.Struct({ bootId: Schema.String, state: Schema.String })

/** The state that the hub says it is in, if it is this very boot that answers. */
const stateOf = (stateDir: string, hub: HubFile): Effect.Effect<string | undefined> =>
  askHub({ ...hub, token: tokenIn(stateDir) }, { method: "GET", path: "/readyz", timeoutMs: askMs }).pipe(
    Effect.map(({ body }) => Schema.decodeUnknownOption(Ready)(body)),
    Effect.map(Option.filter(({ bootId }) => bootId === hub.bootId)),
    Effect.map((ready) => Option.getOrUndefined(ready)?.state),
    Effect.catchTag("NoAnswer", () => Effect.succeed(undefined))
  )
