/** The ways to run peers, as they are built in and as `peers.runtimes` in `mound.yaml` adds to them (contracts: peers 4). */
import { duration, type Parsed, type Parser } from "./parsers.js"

/** When a session takes its first message. A control line that says `ready` always counts. */
export type Readiness =
  | { readonly _tag: "Alive"; readonly forMs: number }
  | { readonly _tag: "Line"; readonly pattern: RegExp }
  | { readonly _tag: "File"; readonly path: string }

export interface RuntimeConfig {
  readonly host: "process"
  /** What is run, before a peer's own arguments. Templates as `{session_id}` are filled in. */
  readonly argv: ReadonlyArray<string>
  /** Empty where sessions cannot be resumed. */
  readonly resumeArgv: ReadonlyArray<string>
  readonly resumeBy: "session" | "folder"
  readonly env: { readonly [name: string]: string }
  readonly bootMs: number
  readonly endGraceMs: number
  readonly ready: Readiness
  /** How long an acknowledgement is waited for. */
  readonly confirmWithinMs: number
}

export type RuntimeTable = ReadonlyMap<string, RuntimeConfig>

const processRuntime: RuntimeConfig = {
  host: "process",
  argv: [],
  resumeArgv: [],
  resumeBy: "session",
  env: {},
  bootMs: 30_000,
  endGraceMs: 5_000,
  ready: { _tag: "Alive", forMs: 250 },
  confirmWithinMs: 10_000
}

export const builtInRuntimes: RuntimeTable = new Map([["process", processRuntime]])

type Data = { readonly [key: string]: unknown }

/** `peers.runtimes`: a mapping of names to keys that change a built-in runtime or make a new one. */
export const runtimeTable: Parser<RuntimeTable> = (raw) => {
  if (!isMapping(raw)) return { problem: "must be a mapping of names to runtimes" }
  const table = new Map(builtInRuntimes)
  for (const [name, value] of Object.entries(raw)) {
    if (!/^[a-z][a-z0-9]{0,31}$/.test(name)) {
      return { problem: `${name}: a runtime's name must be 1 to 32 of a-z and 0-9 and begin with a letter` }
    }
    const parsed = runtime(value, table.get(name) ?? processRuntime)
    if ("problem" in parsed) return { problem: `${name}.${parsed.problem}` }
    table.set(name, parsed.value)
  }
  return { value: table }
}

const isMapping = (raw: unknown): raw is Data =>
  typeof raw === "object" && raw !== null && !Array.isArray(raw)

const texts: Parser<ReadonlyArray<string>> = (raw) =>
  Array.isArray(raw) && raw.every((each) => typeof each === "string")
    ? { value: raw }
    : { problem: "must be a list of texts" }

const variables: Parser<{ readonly [name: string]: string }> = (raw) =>
  isMapping(raw) && Object.values(raw).every((each) => typeof each === "string")
    ? { value: raw as { readonly [name: string]: string } }
    : { problem: "must be a mapping of names to texts" }

const oneOf =
  <const Words extends ReadonlyArray<string>>(...words: Words): Parser<Words[number]> =>
  (raw) =>
    words.includes(String(raw)) ? { value: String(raw) } : { problem: `must be one of ${words.join(", ")}` }

const readiness: Parser<Readiness> = (raw) => {
  if (isMapping(raw) && typeof raw.file === "string") return { value: { _tag: "File", path: raw.file } }
  if (isMapping(raw) && typeof raw.line === "string") {
    try {
      return { value: { _tag: "Line", pattern: new RegExp(raw.line, "m") } }
    } catch (error) {
      return { problem: `line: ${error instanceof Error ? error.message : error}` }
    }
  }
  const alive = duration(0, 600_000)(isMapping(raw) ? raw.alive : raw)
  return "value" in alive
    ? { value: { _tag: "Alive", forMs: alive.value } }
    : { problem: "must be {alive: 250ms}, {line: REGEXP} or {file: PATH}" }
}

/** Each key of a runtime and what it sets. */
const keys: { readonly [key: string]: readonly [field: keyof RuntimeConfig, parse: Parser<unknown>] } = {
  host: ["host", oneOf("process")],
  argv: ["argv", texts],
  resume_argv: ["resumeArgv", texts],
  resume_by: ["resumeBy", oneOf("session", "folder")],
  env: ["env", variables],
  boot: ["bootMs", duration(1_000, 3_600_000)],
  end_grace: ["endGraceMs", duration(0, 600_000)],
  ready: ["ready", readiness],
  confirm_within: ["confirmWithinMs", duration(10, 600_000)]
}

const runtime = (raw: unknown, base: RuntimeConfig): Parsed<RuntimeConfig> => {
  if (!isMapping(raw)) return { problem: " must be a mapping" }
  const changes: { [field: string]: unknown } = {}
  for (const [key, value] of Object.entries(raw)) {
    const known = keys[key]
    if (!known)
      return { problem: `${key} is not a key of a runtime; those are ${Object.keys(keys).join(", ")}` }
    const [field, parse] = known
    const parsed = parse(value)
    if ("problem" in parsed) return { problem: `${key} ${parsed.problem}` }
    changes[field] = parsed.value
  }
  return { value: { ...base, ...changes } }
}
