/**
 * What agents may leave on the ledger, where they are known by their tokens (contracts: ledger 5.4): their marks bear their names, some
 * kinds are for privileged ones only, and inflating has a budget.
 */
import type { MarkRecord } from "../actors/claim/ClaimEvent.js"
import type { Caller } from "./Identities.js"
import type { MarkReason } from "./refusals.js"

/** Notes in the audit log what no journal knows. */
export type Audit = (event: string, fields: { readonly [field: string]: unknown }) => void

export interface MarkRulesOptions {
  /** The classes that may publish each kind; undefined when any kind may be published by anybody. */
  readonly kinds: (() => ReadonlyMap<string, ReadonlySet<string>>) | undefined
  /** Inflations that an agent may make within a window; undefined for any number. */
  readonly inflations: { readonly max: number; readonly windowMs: number } | undefined
  readonly now: () => number
  /** What was not let through, whichever route asked, is in the log as in the old server's. */
  readonly audit: Audit
}

/** Undefined rules let everything through as it is. */
export interface MarkRules {
  /** The mark as it is recorded, or why it is not. */
  readonly admit: (mark: MarkRecord, caller: Caller) => { readonly mark: MarkRecord } | MarkReason
  /** Counts an inflation; the reason when there were too many. */
  readonly inflate: (id: string, caller: Caller) => MarkReason | undefined
}

export const defaultKind = "signal"

export const makeMarkRules = ({ kinds, inflations, now, audit }: MarkRulesOptions): MarkRules => {
  /** Fixed windows, one for each agent that inflates. */
  const windows = new Map<string, { since: number; count: number }>()
  return {
    admit: (mark, caller) => {
      const { id, kind = defaultKind } = mark
      const classes = kinds?.().get(String(kind))
      if (kinds && (!classes || typeof kind !== "string")) {
        audit("kind_unregistered", { id, kind })
        return { _tag: "KindUnregistered", kind: String(kind) }
      }
      if (classes && !classes.has(caller.class)) {
        const reason = "kind_privileged"
        audit("auth_error", { route: "publish", reason, id, kind, class: caller.class })
        return { _tag: "NotAllowed", need: `a class that may publish ${kind}: ${[...classes].join(", ")}` }
      }
      return { mark: { ...mark, kind, ...(caller.name !== undefined && { agentId: caller.name }) } }
    },
    inflate: (id, { name }) => {
      if (!inflations || name === undefined) return undefined
      const { max, windowMs } = inflations
      const at = now()
      const open = windows.get(name)
      const window = open && at - open.since < windowMs ? open : { since: at, count: 0 }
      windows.set(name, window)
      if (window.count >= max) {
        audit("auth_error", { route: "inflate", reason: "inflate_budget", id, agentId: name })
        return { _tag: "InflateBudget", max, windowMs, retryAfterMs: window.since + windowMs - at }
      }
      window.count += 1
      return undefined
    }
  }
}
