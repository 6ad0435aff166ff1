/**
 * Who may ask, and how much: the file of agents' tokens and the registry of kinds (contracts: ledger 5.4). A token stands in its file as
 * it is, as the old project has it, or better as `sha256:` and its digest. No message quotes a token, so none ends up in a log.
 */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { Effect, Schema } from "effect"

export const agentClasses = ["worker", "privileged"] as const
export type AgentClass = (typeof agentClasses)[number]

/** From the least to the most that a token lets its bearer do. */
export const scopes = ["read", "agent", "operator"] as const
export type Scope = (typeof scopes)[number]

export interface Agent {
  readonly agentId: string
  readonly class: AgentClass
  readonly scope: Scope
  /** Timed and bound claims that it may hold, if it has a number of its own. */
  readonly maxHeld: number | undefined
  readonly createdAt: string | undefined
  /** The token itself stands in the file. */
  readonly isClear: boolean
}

/** By the SHA-256 of their tokens, in hex. */
export type Agents = ReadonlyMap<string, Agent>

/** The classes that may publish a kind, by kind. */
export type Kinds = ReadonlyMap<string, ReadonlySet<string>>

export class AuthFileInvalid extends Schema.TaggedError<AuthFileInvalid>()("AuthFileInvalid", {
  key: Schema.String,
  path: Schema.String,
  problems: Schema.Array(Schema.String)
}) {
  override get message() {
    return this.problems.map((problem) => `${this.key}: ${this.path}: ${problem}`).join("\n")
  }
}

export const digestOf = (token: string): string => createHash("sha256").update(token).digest("hex")

/** Before a digest that stands for its token. */
export const digestPrefix = "sha256:"

export const tokensKey = "ledger.auth.tokens_file"
export const kindsKey = "ledger.auth.kind_registry"

/** Throws `AuthFileInvalid` with everything that is wrong. */
export const readAgents = (path: string): Agents => {
  const problems: Array<string> = []
  const agents = new Map<string, Agent>()
  const entries = Object.entries(objectIn(tokensKey, path, "tokens"))
  for (const [index, [token, entry]] of entries.entries()) {
    const wrong = (problem: string) => problems.push(`entry ${index + 1}${nameOf(entry)} ${problem}`)
    const isDigest = token.startsWith(digestPrefix)
    const sha256 = isDigest ? token.slice(digestPrefix.length) : digestOf(token)
    if (token === "" || !/^[0-9a-f]{64}$/.test(sha256)) wrong("has no token, or a digest that is none")
    if (agents.has(sha256)) wrong("has the token of another entry")
    const agent = agentOf(entry, !isDigest, wrong)
    if (agent) agents.set(sha256, agent)
  }
  if (problems.length > 0) throw new AuthFileInvalid({ key: tokensKey, path, problems })
  return agents
}

/** Throws `AuthFileInvalid` with everything that is wrong. */
export const readKinds = (path: string): Kinds => {
  const problems: Array<string> = []
  const kinds = Object.entries(objectIn(kindsKey, path, "kinds")).map(([kind, entry]) => {
    const classes = isObject(entry) ? entry.publishableBy : undefined
    const isList = Array.isArray(classes) && classes.every((each) => isOneOf(agentClasses, each))
    if (!isList) problems.push(`kinds.${kind}.publishableBy must be a list of ${agentClasses.join(", ")}`)
    return [kind, new Set(isList ? (classes as ReadonlyArray<string>) : [])] as const
  })
  if (problems.length > 0) throw new AuthFileInvalid({ key: kindsKey, path, problems })
  return new Map(kinds)
}

export const attempt = <A>(read: () => A): Effect.Effect<A, AuthFileInvalid> =>
  Effect.try({ try: read, catch: (error) => error as AuthFileInvalid })

/** Names that events give to others. */
const taken: ReadonlySet<string> = new Set(["operator", "hub", "deadline", "anonymous"])

/** What a peer of a claim may be called. */
export const isAgentId = (name: unknown): name is string =>
  typeof name === "string" && /^[A-Za-z0-9._:@/-]{1,128}$/.test(name) && !taken.has(name)

const fields: ReadonlySet<string> = new Set(["agentId", "class", "scope", "maxHeld", "createdAt"])

const agentOf = (entry: unknown, isClear: boolean, wrong: (problem: string) => void): Agent | undefined => {
  if (!isObject(entry)) return void wrong("must be an object")
  const { agentId, class: named, scope, maxHeld, createdAt } = entry
  const unknown = Object.keys(entry).filter((field) => !fields.has(field))
  // A scope that is misspelt must not come to be the widest.
  if (unknown.length > 0) return void wrong(`has unknown fields: ${unknown.join(", ")}`)
  if (!isAgentId(agentId)) {
    return void wrong(
      `has no agentId of 1 to 128 of A-Za-z0-9._:@/- that is none of ${[...taken].join(", ")}`
    )
  }
  if (!isOneOf(agentClasses, named))
    return void wrong(`has no class: it must be ${agentClasses.join(" or ")}`)
  if (scope !== undefined && !isOneOf(scopes, scope)) return void wrong(`scope must be ${scopes.join(", ")}`)
  if (scope === "operator" && named !== "privileged")
    return void wrong("scope operator needs class privileged")
  const isCount = typeof maxHeld === "number" && Number.isInteger(maxHeld) && maxHeld >= 0
  if (maxHeld !== undefined && !isCount) return void wrong("maxHeld must be an integer of 0 or more")
  return {
    agentId,
    class: named,
    scope: scope ?? (named === "privileged" ? "operator" : "agent"),
    maxHeld: isCount ? maxHeld : undefined,
    createdAt: typeof createdAt === "string" ? createdAt : undefined,
    isClear
  }
}

type Fields = { readonly [field: string]: unknown }

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isOneOf = <const Words extends ReadonlyArray<string>>(
  words: Words,
  value: unknown
): value is Words[number] => words.includes(value as string)

const nameOf = (entry: unknown): string =>
  isObject(entry) && isAgentId(entry.agentId) ? ` (${entry.agentId})` : ""

/** The line from which on a text cannot be JSON any more, or its last one if it only ends too early. */
const faultyLine = (text: string): number => {
  const lines = text.split("\n")
  const line = lines.findIndex((_, index) => !isUnfinished(lines.slice(0, index + 1).join("\n")))
  return line < 0 ? lines.length : line + 1
}

/** Whether more text could make JSON of it: then the parser fails at its end. */
const isUnfinished = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch (error) {
    const { message } = error as Error
    const position = /at position (\d+)/.exec(message)?.[1]
    if (position !== undefined && !message.includes("Unterminated")) return Number(position) >= text.length
    return /end of JSON input|Unterminated/.test(message)
  }
}

/** The object under a name in a JSON file. What a parser says of a fault quotes the file, so it is not passed on. */
const objectIn = (key: string, path: string, name: string): Fields => {
  const fail = (problem: string) => new AuthFileInvalid({ key, path, problems: [problem] })
  let text: string
  try {
    text = readFileSync(path, "utf8")
  } catch (error) {
    throw fail(`cannot be read (${(error as { readonly code?: string }).code ?? "no text"})`)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw fail(`is not valid JSON (line ${faultyLine(text)})`)
  }
  const found = isObject(value) ? value[name] : undefined
  if (!isObject(found)) throw fail(`has no object ${name}`)
  return found
}
