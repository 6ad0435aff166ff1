/** What the invocations of presences need of the hub that they run in. */
import type { Effect } from "effect"
import type { Identity } from "../actors/peer/Identity.js"
import type { Registration } from "../actors/peer/PeerEvent.js"
import type { PresenceCommand } from "../actors/presence/PresenceCommand.js"
import type { AcceptedMessage } from "../actors/presence/PresenceEvent.js"
import type { RuntimeConfig } from "../config/RuntimeConfig.js"
import type { Offset } from "../events/Event.js"
import type { Attachments } from "./Attachments.js"
import type { ControlLine } from "./controlLine.js"
import type { Sessions } from "./Sessions.js"
import type { TmuxHost } from "./TmuxHost.js"

export interface PeerWorld {
  /** `.mound/sessions`. */
  readonly sessionsRoot: string
  readonly sessions: Sessions
  readonly tmux: TmuxHost
  readonly sessionsKept: number
  /** Output that is larger is cut, bytes. */
  readonly outputMax: number
  /** Nothing is being delivered to a session now, nor waits to be. */
  readonly isQuiet: (identity: string) => boolean
  /** Messages that wait for an identity, the one in hand included. */
  readonly waiting: (identity: string) => number
  readonly runtime: (name: string) => RuntimeConfig | undefined
  /** For all runtimes, in place of their own. */
  readonly bootMs: number | undefined
  readonly idleMs: number
  readonly registration: (personality: string) => Effect.Effect<Registration | undefined>
  readonly message: (offset: Offset) => Effect.Effect<AcceptedMessage>
  readonly attachments: Attachments
  /** Sends for a session; completes with the reason of a refusal. */
  readonly send: (
    from: Identity,
    line: Extract<ControlLine, { readonly mound: "send" }>
  ) => Effect.Effect<string | undefined>
  /** Sends a presence a command that counts once, however often it is sent. */
  readonly report: (
    identity: string,
    command: PresenceCommand,
    commandId: string
  ) => Effect.Effect<unknown, unknown>
  /** Whether another session may be started now: the hub is not stopping, and not too many boot. */
  readonly mayBoot: () => boolean
  readonly workspace: string
  readonly url: () => string
  readonly environment: { readonly [name: string]: string | undefined }
  readonly now: () => number
}
