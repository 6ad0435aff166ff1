/** A server that other programs find here: registered while it is heard of, then stale, then gone (contracts: streams 3). */
import { assign, cancel, raise, setup } from "xstate"
import type { Offset } from "../../events/Event.js"
import { due, invocation, type Recorded } from "../fold.js"
import type { ServerEvent } from "./ServerEvent.js"

/** What a server said of itself when it registered. */
export interface ServerEntry {
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly metadata: { readonly [key: string]: unknown } | null
}

export interface ServerContext {
  readonly entry: ServerEntry | null
  /** Offset of its registration: a process whose id another one has taken knows an older one. */
  readonly token: Offset | null
  /** When it was registered or revived. */
  readonly heardAt: number
  readonly staleSince: number | null
  readonly forgetAfterMs: number
}

export type ServerStateName = "gone" | "registered" | "stale"

const nobody: ServerContext = { entry: null, token: null, heardAt: 0, staleSince: null, forgetAfterMs: 0 }

type MachineEvent = Recorded<ServerEvent>
type Of<Type extends ServerEvent["type"]> = Extract<MachineEvent, { readonly type: Type }>

const register = ({ url, port, pid, metadata, offset, at }: Of<"ServerRegistered">): ServerContext => ({
  ...nobody,
  entry: { url, port, pid, metadata },
  token: offset,
  heardAt: at
})

export const serverMachine = setup({
  types: { context: {} as ServerContext, events: {} as MachineEvent },
  actors: { watchSilence: invocation() },
  delays: { forgetAfter: ({ context }) => context.forgetAfterMs },
  actions: {
    armExpiry: raise(
      due<Extract<ServerEvent, { readonly type: "ServerExpired" }>>({ type: "ServerExpired" }),
      {
        id: "expire",
        delay: "forgetAfter"
      }
    ),
    cancelExpiry: cancel("expire")
  }
}).createMachine({
  id: "server",
  context: nobody,
  initial: "gone",
  on: {
    ServerRegistered: {
      target: ".registered",
      reenter: true,
      actions: assign(({ event }) => register(event))
    }
  },
  states: {
    gone: { description: "not there; its id may register again" },
    registered: {
      description: "heard of within its time to live",
      invoke: { id: "watchSilence", src: "watchSilence" },
      on: {
        ServerWentStale: {
          target: "stale",
          actions: assign(({ event: { at, forgetAfterMs } }) => ({ staleSince: at, forgetAfterMs }))
        },
        ServerUnregistered: { target: "gone", actions: assign(nobody) }
      }
    },
    stale: {
      description: "silent for too long; a heartbeat brings it back",
      entry: "armExpiry",
      exit: "cancelExpiry",
      on: {
        ServerRevived: {
          target: "registered",
          actions: assign(({ event }) => ({ staleSince: null, heardAt: event.at }))
        },
        ServerExpired: { target: "gone", actions: assign(nobody) },
        ServerUnregistered: { target: "gone", actions: assign(nobody) }
      }
    }
  }
})
