/**
 * What agents may leave on the ledger, where they are known by their tokens (contracts: ledger 5.4): their marks bear their names, some
 * kinds are for privileged ones only, and inflating has a budget.
 */
import type { MarkRecord } from "../actors/claim/ClaimEvent.js"
import type { Caller } from "./Identities.js"
import type { MarkReason } from "./refusals.js"

export interface MarkRulesOptions {
  /** The classes that may publish each kind; undefined when any kind may be published by anybody. */
  readonly kinds: (() => ReadonlyMap<string, ReadonlySet<string>>) | undefined
  /** Inflations that an agent may make within a window; undefined for any number. */
  readonly inflations: { readonly max: number; readonly windowMs: number } | undefined
  readonly now: () => number
}

/** Undefined rules let everything through as it is. */
export interface MarkRules {
  /** The mark as it is recorded, or why it is not. */
  readonly admit: (mark: MarkRecord, caller: Caller) => { readonly mark: MarkRecord } | MarkReason
  /** Counts an inflation; the reason when there were too many. */
  readonly inflate: (caller: Caller) => MarkReason | undefined
}

export const defaultKind = "signal"

export const makeMarkRules = ({ kinds, inflations, now }: MarkRulesOptions): MarkRules => {
  /** Fixed windows, one for each agent that inflates. */
  const windows = new Map<string, { since: number; count: number }>()
  return {
    admit: (mark, caller) => {
      const { kind = defaultKind } = mark
      const classes = kinds?.().get(String(kind))
      if (kinds && (!classes || typeof kind !== "string"))
        return { _tag: "KindUnregistered", kind: String(kind) }
      if (classes && !classes.has(caller.class)) {
        return { _tag: "NotAllowed", need: `a class that may publish ${kind}: ${[...classes].join(", ")}` }
      }
      return { mark: { ...mark, kind, ...(caller.name !== undefined && { agentId: caller.name }) } }
    },
    inflate: ({ name }) => {
      if (!inflations || name === undefined) return undefined
      const { max, windowMs } = inflations
      const at = now()
      const open = windows.get(name)
      const window = open && at - open.since < windowMs ? open : { since: at, count: 0 }
      windows.set(name, window)
      if (window.count >= max) {
        return { _tag: "InflateBudget", max, windowMs, retryAfterMs: window.since + windowMs - at }
      }
      window.count += 1
      return undefined
    }
  }
}
