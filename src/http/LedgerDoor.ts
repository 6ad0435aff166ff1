/**
 * Who may use the old ledger's three commands, where agents are known by their tokens, and the words in which that is refused
 * (contracts: ledger 5.4). What it asks on other routes is for `Access` to say.
 */
import type { IncomingMessage } from "node:http"
import type { MarkRecord } from "../actors/claim/ClaimEvent.js"
import { bearerOf, type Caller, covers, type Identities } from "./Identities.js"
import type { Audit, MarkRules } from "./MarkRules.js"
import type { MarkReason } from "./refusals.js"

/** The old protocol's commands, as its log names them. */
export type OldRoute = "publish" | "claim" | "inflate"

/** A status, the bare word, and after how many seconds another try is worth it. */
export interface Turned {
  readonly status: number
  readonly word: string
  readonly retryAfter?: number
}

export interface LedgerDoorOptions {
  readonly identities: Identities
  readonly marks: MarkRules
  readonly audit: Audit
}

export class LedgerDoor {
  constructor(private readonly options: LedgerDoorOptions) {}

  /** Who sends a command, or why it may not. */
  enter({ headers }: IncomingMessage, route: OldRoute, id: string): Caller | Turned {
    const turnAway = (status: number, reason: string): Turned => {
      this.options.audit("auth_error", { route, reason, id })
      return turned(status, reason)
    }
    const shown = this.options.identities.shown(bearerOf(headers))
    switch (shown._tag) {
      case "Nothing":
        return turnAway(401, "missing_token")
      case "UnknownToken":
        return turnAway(403, "unknown_token")
      case "Known":
        return covers(shown.scope, "agent") ? shown.caller : turnAway(403, "read_only")
    }
  }

  /** The mark as it is recorded. */
  admit(mark: MarkRecord, caller: Caller): { readonly mark: MarkRecord } | Turned {
    const admitted = this.options.marks.admit(mark, caller)
    return "mark" in admitted ? admitted : wordOf(admitted)
  }

  inflate(id: string, caller: Caller): Turned | undefined {
    const reason = this.options.marks.inflate(id, caller)
    return reason && wordOf(reason)
  }
}

const turned = (status: number, word: string): Turned => ({ status, word: `auth_error:${status}:${word}` })

const wordOf = (reason: MarkReason): Turned => {
  switch (reason._tag) {
    case "KindUnregistered":
      return { status: 400, word: "kind_unregistered" }
    case "NotAllowed":
      return turned(403, "kind_privileged")
    case "InflateBudget":
      return { ...turned(429, "inflate_budget"), retryAfter: Math.ceil(reason.retryAfterMs / 1_000) }
  }
}
