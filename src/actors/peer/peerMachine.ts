/** One name's life: registered, amended, removed, and perhaps registered again as somebody else (contracts: peers 3.1). */
import { assign, setup } from "xstate"
import type { Offset } from "../../events/Event.js"
import { invocation, type Recorded } from "../fold.js"
import type { PeerEvent, Registration } from "./PeerEvent.js"

export interface PeerContext {
  /** Offset of the registration: a namesake registered later has another and inherits nothing. */
  readonly incarnation: Offset | null
  readonly registration: Registration | null
  /** Offset at which its removal began. */
  readonly removalFrom: Offset | null
}

export type PeerStateName = "unknown" | "registered" | "removing" | "removed"

type MachineEvent = Recorded<PeerEvent>
type Of<Type extends PeerEvent["type"]> = Extract<MachineEvent, { readonly type: Type }>

/** What `retirePresences` is told. */
export interface RetirePresencesInput {
  readonly personality: string
  readonly runtimes: ReadonlyArray<string>
  readonly since: Offset
}

const register = ({
  type: _,
  offset,
  at: __,
  ...registration
}: Of<"PeerRegistered">): Partial<PeerContext> => ({
  incarnation: offset,
  registration,
  removalFrom: null
})

const amend = ({ registration }: PeerContext, { changes }: Of<"PeerAmended">): Partial<PeerContext> => ({
  registration: { ...(registration as Registration), ...(changes as Partial<Registration>) }
})

export const peerMachine = setup({
  types: { context: {} as PeerContext, events: {} as MachineEvent },
  actors: { retirePresences: invocation<RetirePresencesInput>() }
}).createMachine({
  id: "peer",
  context: { incarnation: null, registration: null, removalFrom: null },
  initial: "unknown",
  states: {
    unknown: {
      description: "nobody has this name",
      on: { PeerRegistered: { target: "registered", actions: assign(({ event }) => register(event)) } }
    },
    registered: {
      description: "can be addressed by its name",
      on: {
        PeerAmended: { actions: assign(({ context, event }) => amend(context, event)) },
        PeerRemovalBegun: {
          target: "removing",
          actions: assign(({ event }) => ({ removalFrom: event.offset }))
        }
      }
    },
    removing: {
      description: "its sessions are being ended",
      invoke: {
        id: "retirePresences",
        src: "retirePresences",
        input: ({ context }) => ({
          personality: context.registration?.personality ?? "",
          runtimes: context.registration?.runtimes ?? [],
          since: context.removalFrom ?? (0 as Offset)
        })
      },
      on: {
        PeerRemoved: {
          target: "removed",
          actions: assign({ incarnation: null, registration: null, removalFrom: null })
        }
      }
    },
    removed: {
      description: "the name is free again; the folder was never touched",
      on: { PeerRegistered: { target: "registered", actions: assign(({ event }) => register(event)) } }
    }
  }
})
