/** A machine as a chart and a table, both read off the machine itself: what the documentation shows is what runs. */
import type { Machine } from "../src/actors/fold.js"

type Config = {
  readonly description?: string
  readonly type?: string
  readonly initial?: string
  readonly entry?: unknown
  readonly invoke?: unknown
  readonly on?: { readonly [event: string]: unknown }
  readonly states?: { readonly [state: string]: Config }
}

interface Transition {
  readonly event: string
  readonly guard: string | undefined
  /** The state that it leads to; undefined when it stays and is not entered anew. */
  readonly target: string | undefined
}

interface State {
  /** `held.active`; empty for the machine as a whole. */
  readonly name: string
  readonly config: Config
}

const listOf = (value: unknown): ReadonlyArray<unknown> => (value === undefined ? [] : [value].flat())

const statesOf = (config: Config, name = ""): ReadonlyArray<State> => [
  { name, config },
  ...Object.entries(config.states ?? {}).flatMap(([child, inner]) =>
    statesOf(inner, name === "" ? child : `${name}.${child}`)
  )
]

/** `#claim.open` from the root, `.active` a child, `grace` a sibling. */
const resolve = (target: string, state: string, id: string): string => {
  if (target.startsWith(`#${id}.`)) return target.slice(id.length + 2)
  if (target.startsWith(".")) return state === "" ? target.slice(1) : `${state}${target}`
  const parent = state.split(".").slice(0, -1)
  return [...parent, target].join(".")
}

const transitionsOf = ({ name, config }: State, id: string): ReadonlyArray<Transition> =>
  Object.entries(config.on ?? {}).flatMap(([event, value]) =>
    listOf(value).map((each) => {
      const { guard, target } = (typeof each === "string" ? { target: each } : each) as {
        readonly guard?: string
        readonly target?: string
      }
      return { event, guard, target: target === undefined ? undefined : resolve(target, name, id) }
    })
  )

/** The deadlines that a state arms, on entry or on the way to another one, as its actions say. */
const deadlinesOf = ({ config }: State, machine: Machine): ReadonlyArray<string> => {
  const transitions = Object.values(config.on ?? {}).flatMap(listOf)
  const onTheWay = transitions.flatMap((each) => listOf((each as { readonly actions?: unknown }).actions))
  return [...new Set([...listOf(config.entry), ...onTheWay])].flatMap((name) => {
    const action = machine.implementations.actions[String(name)] as {
      type?: string
      id?: string
      delay?: string
    }
    return action?.type === "xstate.raise" ? [`${action.id} after \`${action.delay}\``] : []
  })
}

const invocationsOf = ({ config }: State): ReadonlyArray<string> =>
  listOf(config.invoke).map((invoke) => `\`${(invoke as { readonly src: string }).src}\``)

const chart = (states: ReadonlyArray<State>, id: string): ReadonlyArray<string> => {
  const key = (name: string) => name.replaceAll(".", "_")
  const lines: Array<string> = ["```mermaid", "stateDiagram-v2"]
  const declare = (parent: string, indent: string) => {
    const children = states.filter(
      ({ name }) => name !== "" && name.split(".").slice(0, -1).join(".") === parent
    )
    const own = states.find(({ name }) => name === parent)
    if (own?.config.initial)
      lines.push(`${indent}[*] --> ${key([parent, own.config.initial].filter(Boolean).join("."))}`)
    for (const [index, { name, config }] of children.entries()) {
      if (index > 0 && own?.config.type === "parallel") lines.push(`${indent}--`)
      const label = `state "${name.split(".").at(-1)}" as ${key(name)}`
      if (!config.states) lines.push(`${indent}${label}`)
      else {
        lines.push(`${indent}${label} {`)
        declare(name, `${indent}  `)
        lines.push(`${indent}}`)
      }
    }
  }
  declare("", "  ")
  for (const state of states) {
    for (const { event, guard, target } of transitionsOf(state, id)) {
      if (state.name === "" || target === undefined) continue
      lines.push(`  ${key(state.name)} --> ${key(target)}: ${event}${guard ? ` [${guard}]` : ""}`)
    }
  }
  return [...lines, "```"]
}

const table = (states: ReadonlyArray<State>, machine: Machine): ReadonlyArray<string> => [
  "| state | means | event [guard] -> state | runs, comes due |",
  "|---|---|---|---|",
  ...states.map((state) => {
    const moves = transitionsOf(state, machine.id).map(
      ({ event, guard, target }) => `${event}${guard ? ` [${guard}]` : ""} -> ${target ?? "(same)"}`
    )
    const runs = [...invocationsOf(state), ...deadlinesOf(state, machine)]
    const name = state.name === "" ? "(any)" : `\`${state.name}\``
    return `| ${name} | ${state.config.description ?? ""} | ${moves.join("<br>")} | ${runs.join("<br>")} |`
  })
]

/** A section of `docs/machines.md`. */
export const machineChart = (machine: Machine): string => {
  const states = statesOf(machine.config as Config)
  return [`## ${machine.id}`, "", ...chart(states, machine.id), "", ...table(states, machine), ""].join("\n")
}

/** The whole page. */
export const machinesPage = (machines: ReadonlyArray<Machine>): string =>
  [
    "# The machines",
    "",
    "Every actor is one of these. The page is made from the machines themselves: `npm run docs` writes it, and a",
    "test fails when it is not fresh. A transition that leads to `(same)` changes what the actor knows and nothing else;",
    "an event that a state does not list cannot happen in it.",
    "",
    ...machines.map(machineChart)
  ].join("\n")
