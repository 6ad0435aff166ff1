/**
 * A position in a stream as clients know it: opaque, sorting as text, always the place after something (contracts: streams 2). Its first
 * half counts the restores of the journal, so that a token of an older history is told apart.
 */
import type { Offset } from "../events/Event.js"

/** First halves from here on are those of streams that clients made. */
const firstIncarnation = 1_000_000
const half = (value: number): string => String(value).padStart(16, "0")

export const encodeToken = (restores: number, offset: number): string => `${half(restores)}_${half(offset)}`

/** Why a token is refused. */
export type TokenFault =
  | { readonly _tag: "MalformedOffset"; readonly given: string }
  | { readonly _tag: "ForeignOffset"; readonly given: string }
  | { readonly _tag: "OffsetGone"; readonly given: string }
  | { readonly _tag: "OffsetAhead"; readonly head: number }

export interface TokenContext {
  readonly restores: number
  readonly head: Offset
}

/** The offset after which a token stands, `-1` and `now` included; or why it is none. */
export const decodeToken = (given: string, { restores, head }: TokenContext): Offset | TokenFault => {
  if (given === "-1") return 0 as Offset
  if (given === "now") return head
  const match = /^(\d{16})_(\d{16})$/.exec(given)
  if (!match) return { _tag: "MalformedOffset", given }
  const [, first = "", second = ""] = match
  // Text compares as it sorts; numbers of this size would lose their last digit.
  if (first === half(0) && second === half(0)) return 0 as Offset
  if (first >= half(firstIncarnation)) return { _tag: "ForeignOffset", given }
  if (first < half(restores)) return { _tag: "OffsetGone", given }
  if (first > half(restores) || second > half(head)) return { _tag: "OffsetAhead", head }
  return Number(second) as Offset
}
