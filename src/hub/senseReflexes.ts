/** What follows from what senses say: signals trigger those who listen, launches start runs (contracts: senses and workflows 3.4). */
import { Effect } from "effect"
import type { ActorKind, CommandShape } from "../actors/ActorKind.js"
import type { Reflex, ReflexCommand } from "../actors/Reflex.js"
import type { SenseKind } from "../actors/sense/decideSense.js"
import type { SenseCommand } from "../actors/sense/SenseCommand.js"
import type { SenseConfig } from "../config/WorkspaceConfig.js"
import { dataOf, idOf } from "../events/Event.js"

/** A sense's signal triggers every sense that listens to it. */
export const signalReflex = (kind: SenseKind, senses: () => ReadonlyArray<SenseConfig>): Reflex => ({
  name: "signals",
  on: new Set(["SignalEmitted"]),
  rule: ({ stream, at, offset, data }) => {
    const sense = idOf(stream)
    const listeners = senses().filter(({ on }) => on.includes(sense))
    return listeners.map(({ name }): ReflexCommand => {
      const cause = { kind: "signal", at, offset, sense } as const
      const command: SenseCommand = { type: "TriggerSense", cause, depth: (data.depth as number) + 1 }
      return { kind: kind as ActorKind, id: name, command, target: name }
    })
  }
})

/** What a launch asks of the kind `workflow`. */
export interface LaunchRequest {
  readonly prompt: string
  readonly maxRounds: number
  readonly evidence?: unknown
  readonly origin: { readonly kind: "sense"; readonly ref: string }
  readonly depth: number
}

/** The kind that takes launches, and its command for one. */
export interface LaunchPort {
  readonly kind: ActorKind
  readonly request: (launch: LaunchRequest) => Effect.Effect<CommandShape>
}

/** A launch that is refused for good is recorded with the sense that wanted it. */
export const launchReflex = (senseKind: SenseKind, port: LaunchPort): Reflex => ({
  name: "launches",
  on: new Set(["SenseLaunched"]),
  rule: (event) => {
    const { workflow, maxRounds, prompt, evidence, depth } = dataOf<Launched>(event)
    const sense = idOf(event.stream)
    const launch: LaunchRequest = {
      prompt,
      maxRounds,
      ...(evidence !== undefined && { evidence }),
      origin: { kind: "sense", ref: sense },
      depth
    }
    const text = `${workflow}|${maxRounds}|${prompt}`.slice(0, maxText)
    return Effect.map(port.request(launch), (command) => [
      {
        kind: port.kind,
        id: workflow,
        command,
        target: workflow,
        onRefused: ({ _tag }) => ({
          kind: senseKind as ActorKind,
          id: sense,
          command: { type: "RejectLaunch", text, reason: _tag } satisfies SenseCommand,
          target: `${sense}:rejected`
        })
      }
    ])
  }
})

/** The event's own fields, as this program wrote them. */
type Launched = Omit<LaunchRequest, "origin"> & { readonly workflow: string }

const maxText = 500
