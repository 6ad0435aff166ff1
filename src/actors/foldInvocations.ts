/**
 * The invocations that must be running after an event. XState's own would spawn actors, so a machine is folded with each `invoke` turned
 * into a note on entry; what it says is read from the machine itself.
 */
import type { Action, ActorState, Foldable, Invocation, Machine } from "./fold.js"

type Snapshot = ActorState["snapshot"]

/** An `invoke` as its machine has it. */
type Invoke = Pick<Invocation, "id" | "src" | "input">

/** The `invoke`s of each state, by the state's id. */
export type Invokes = ReadonlyMap<string, ReadonlyArray<Invoke>>

/** Where an invocation comes from: the event that entered its state. */
export type Origin = Pick<Invocation, "since" | "correlation">

export const invocationsAfter = (
  invokes: Invokes,
  before: ReadonlyArray<Invocation>,
  snapshot: Snapshot,
  actions: ReadonlyArray<Action>,
  { offset, correlation }: Foldable
): ReadonlyArray<Invocation> => {
  const started = new Set(
    actions.filter(({ type }) => type === entered).map(({ params }) => (params as { readonly id: string }).id)
  )
  if (before.length === 0 && started.size === 0) return before
  const kept = new Map(
    before.filter(({ id }) => !started.has(id)).map((invocation) => [invocation.id, invocation])
  )
  const fresh = invocationsOf(invokes, snapshot, () => ({ since: offset, correlation }))
  const after = fresh.map((invocation) => {
    const running = kept.get(invocation.id)
    return running && isSameInput(running.input, invocation.input) ? running : invocation
  })
  const isSame =
    after.length === before.length && after.every((invocation, index) => invocation === before[index])
  return isSame ? before : after
}

/** An invocation is what it is asked to do: asked something else, it is another one, which begins anew. */
const isSameInput = (before: unknown, after: unknown): boolean =>
  before === after || JSON.stringify(before) === JSON.stringify(after)

/** The `invoke`s of the active states. Their input may read the context alone: a restart has no event to offer. */
export const invocationsOf = (
  invokes: Invokes,
  snapshot: Snapshot,
  originOf: (id: string) => Origin
): ReadonlyArray<Invocation> =>
  snapshot._nodes.flatMap((node) =>
    (invokes.get(node.id) ?? []).map(({ id, src, input }) => ({
      id,
      src: String(src),
      input: typeof input === "function" ? (input as InputFunction)({ context: snapshot.context }) : input,
      ...originOf(id)
    }))
  )

type InputFunction = (from: { readonly context: unknown }) => unknown

type Config = Machine["config"]
type Node = Machine["root"]

export const invokesOf = (machine: Machine): Invokes =>
  new Map(nodesOf(machine.root).map(({ id, invoke }) => [id, invoke as ReadonlyArray<Invoke>]))

/** Tells that a state with this `invoke` was entered, without XState starting anything. */
const entered = "mound.entered"

/** A machine's definition with those notes in place of its `invoke`s. */
export const toNotes = ({ invoke, entry, states, ...config }: Config): Config => {
  const notes = listOf(invoke).map(({ id }) => {
    if (id === undefined) throw new Error("an invoke needs an id: the driver knows its fiber by it")
    return { type: entered, params: { id } }
  })
  return {
    ...config,
    ...((entry !== undefined || notes.length > 0) && { entry: [...listOf(entry), ...notes] }),
    ...(states && {
      states: Object.fromEntries(
        Object.entries(states).map(([name, state]) => [name, toNotes(state as Config)])
      )
    })
  } as Config
}

const nodesOf = (node: Node): ReadonlyArray<Node> => [node, ...Object.values(node.states).flatMap(nodesOf)]

/** Config values may be one or several. */
const listOf = (value: unknown): ReadonlyArray<{ readonly id?: string }> =>
  value === undefined ? [] : ([value].flat() as ReadonlyArray<{ readonly id?: string }>)
