/** Names of peers, of the ways to run them, and of one peer on one runtime (contracts: peers 2). */
import { Schema } from "effect"
import { makeStreamId, type StreamId } from "../../events/Event.js"

export const Personality = Schema.String.pipe(
  Schema.pattern(/^[a-z][a-z0-9-]{0,31}$/, {
    message: () => "must be 1 to 32 of a-z, 0-9 and -, and begin with a letter"
  })
)
export const RuntimeName = Schema.String.pipe(
  Schema.pattern(/^[a-z][a-z0-9]{0,31}$/, {
    message: () => "must be 1 to 32 of a-z and 0-9, without a dash, and begin with a letter"
  })
)

/** Names that senders have without being peers. */
export const reservedNames: ReadonlySet<string> = new Set(["hub", "operator"])

export interface Identity {
  readonly runtime: string
  readonly personality: string
}

export const formatIdentity = ({ runtime, personality }: Identity): string => `${runtime}-${personality}`

/** Split at the first dash: runtimes have none, personalities may. Undefined for what is no identity. */
export const parseIdentity = (text: string): Identity | undefined => {
  const dash = text.indexOf("-")
  if (dash < 0) return undefined
  const identity = { runtime: text.slice(0, dash), personality: text.slice(dash + 1) }
  return Schema.is(RuntimeName)(identity.runtime) && Schema.is(Personality)(identity.personality)
    ? identity
    : undefined
}

export const peerStream = (personality: string): StreamId => makeStreamId("peer", personality)
export const presenceStream = (identity: Identity): StreamId =>
  makeStreamId("presence", formatIdentity(identity))

export const intelligences = ["artificial", "natural", "absent"] as const
export type Intelligence = (typeof intelligences)[number]

/** The old system's other words for the same. */
const oldWords: { readonly [word: string]: Intelligence } = { human: "natural", scripted: "absent" }

/** As written, old words included. */
export const IntelligenceWord = Schema.Literal(...intelligences, "human", "scripted")
export const toIntelligence = (word: typeof IntelligenceWord.Type): Intelligence =>
  oldWords[word] ?? (word as Intelligence)

const naturalRuntimes = new Set(["telegram", "discord", "matrix", "email", "web"])
const absentRuntimes = new Set(["notifier", "webhook", "api", "cron"])

/** What is behind a runtime when nobody says: people behind messengers, nobody behind programs. */
export const intelligenceOf = (runtime: string): Intelligence => {
  if (naturalRuntimes.has(runtime)) return "natural"
  return absentRuntimes.has(runtime) ? "absent" : "artificial"
}
