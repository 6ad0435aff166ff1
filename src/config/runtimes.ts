/** Reads `peers.runtimes` of `mound.yaml`: runtimes that are added, and keys of the built-in ones that are changed (contracts: peers 4). */
import { boolean, duration, type Parsed, type Parser, text } from "./parsers.js"
import type {
  Compact,
  Dialog,
  Interrupt,
  Readiness,
  ResumeProbe,
  RuntimeConfig,
  RuntimeTable
} from "./RuntimeConfig.js"
import { builtInRuntimes, processRuntime, tmuxRuntime } from "./runtimePresets.js"

type Data = { readonly [key: string]: unknown }

/** A mapping of names to keys that change a built-in runtime or make a new one. */
export const runtimeTable: Parser<RuntimeTable> = (raw) => {
  if (!isMapping(raw)) return { problem: "must be a mapping of names to runtimes" }
  const table = new Map(builtInRuntimes)
  for (const [name, value] of Object.entries(raw)) {
    if (!/^[a-z][a-z0-9]{0,31}$/.test(name)) {
      return { problem: `${name}: a runtime's name must be 1 to 32 of a-z and 0-9 and begin with a letter` }
    }
    const parsed = runtime(value, table.get(name))
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

const pattern =
  (flags: string): Parser<RegExp> =>
  (raw) => {
    if (typeof raw !== "string") return { problem: "must be a regular expression" }
    try {
      return { value: new RegExp(raw, flags) }
    } catch (error) {
      return { problem: error instanceof Error ? error.message : String(error) }
    }
  }

/** Makes something of a mapping's fields; the first that is wrong is named. */
const fieldsOf = <Fields extends { readonly [name: string]: Parser<unknown> }>(
  raw: unknown,
  fields: Fields,
  optional: ReadonlyArray<keyof Fields> = []
): Parsed<{ readonly [Name in keyof Fields]: Fields[Name] extends Parser<infer A> ? A : never }> => {
  if (!isMapping(raw)) return { problem: `must be a mapping of ${Object.keys(fields).join(", ")}` }
  const unknown = Object.keys(raw).find((name) => !(name in fields))
  if (unknown !== undefined) {
    return { problem: `has no ${unknown}; its fields are ${Object.keys(fields).join(", ")}` }
  }
  const value: { [name: string]: unknown } = {}
  for (const [name, parse] of Object.entries(fields)) {
    if (raw[name] === undefined && optional.includes(name)) continue
    const parsed = parse(raw[name])
    if ("problem" in parsed) return { problem: `${name} ${parsed.problem}` }
    value[name] = parsed.value
  }
  return { value: value as never }
}

const mapped = <A, B>(parsed: Parsed<A>, make: (value: A) => B): Parsed<B> =>
  "problem" in parsed ? parsed : { value: make(parsed.value) }

const readiness: Parser<Readiness> = (raw) => {
  if (isMapping(raw) && typeof raw.file === "string") return { value: { _tag: "File", path: raw.file } }
  if (isMapping(raw) && raw.line !== undefined) {
    return mapped(fieldsOf(raw, { line: pattern("m") }), ({ line }) => ({ _tag: "Line", pattern: line }))
  }
  if (isMapping(raw) && raw.pane !== undefined) {
    return mapped(fieldsOf(raw, { pane: pattern("m") }), ({ pane }) => ({ _tag: "Pane", pattern: pane }))
  }
  const alive = duration(0, 600_000)(isMapping(raw) ? raw.alive : raw)
  return "value" in alive
    ? { value: { _tag: "Alive", forMs: alive.value } }
    : { problem: "must be {alive: 250ms}, {line: REGEXP}, {file: PATH} or {pane: REGEXP}" }
}

const dialogs: Parser<ReadonlyArray<Dialog>> = (raw) => {
  if (!Array.isArray(raw)) return { problem: "must be a list of {when, and?, keys}" }
  const list: Array<Dialog> = []
  for (const [index, each] of raw.entries()) {
    const parsed = fieldsOf(each, { when: pattern("m"), and: pattern("m"), keys: texts }, ["and"])
    if ("problem" in parsed) return { problem: `${index + 1}: ${parsed.problem}` }
    list.push(parsed.value)
  }
  return { value: list }
}

const interrupt: Parser<Interrupt> = (raw) =>
  raw === "SIGINT"
    ? { value: { _tag: "Signal" } }
    : isMapping(raw)
      ? mapped(fieldsOf(raw, { keys: texts }), ({ keys }) => ({ _tag: "Keys", keys }))
      : { problem: "must be SIGINT or {keys: [Escape]}" }

const compact: Parser<Compact> = (raw) => {
  if (raw === "control") return { value: { _tag: "Control" } }
  if (raw === "none") return { value: { _tag: "Unsupported" } }
  if (!isMapping(raw)) return { problem: "must be control, none or {text, within, match}" }
  const fields = fieldsOf(raw, { text, within: duration(1_000, 290_000), match: pattern("m") })
  return mapped(fields, ({ text: asked, within, match }) => ({
    _tag: "Text",
    text: asked,
    withinMs: within,
    match
  }))
}

const probe: Parser<ResumeProbe> = (raw) =>
  typeof raw === "string"
    ? { value: { glob: raw } }
    : fieldsOf(raw, { glob: text, contains: text }, ["contains"])

/** Each key of a runtime and what it sets. */
const keys: { readonly [key: string]: readonly [field: keyof RuntimeConfig, parse: Parser<unknown>] } = {
  host: ["host", oneOf("process", "tmux")],
  argv: ["argv", texts],
  resume_argv: ["resumeArgv", texts],
  resume_by: ["resumeBy", oneOf("session", "folder")],
  resume_probe: ["resumeProbe", probe],
  env: ["env", variables],
  boot: ["bootMs", duration(1_000, 3_600_000)],
  end_grace: ["endGraceMs", duration(0, 600_000)],
  ready: ["ready", readiness],
  dialogs: ["dialogs", dialogs],
  deliver: ["deliver", oneOf("stdin", "paste")],
  format: ["format", oneOf("json", "envelope", "text")],
  submit: ["submit", texts],
  settle: ["settleMs", duration(0, 60_000)],
  resubmit_after: ["resubmitAfterMs", duration(100, 600_000)],
  confirm: ["confirm", oneOf("ack", "transcript", "written")],
  confirm_within: ["confirmWithinMs", duration(10, 600_000)],
  transcript: ["transcript", text],
  activity: ["activity", oneOf("output", "transcript")],
  interrupt: ["interrupt", interrupt],
  compact: ["compact", compact],
  unattended: ["unattended", boolean]
}

const runtime = (raw: unknown, known: RuntimeConfig | undefined): Parsed<RuntimeConfig> => {
  if (!isMapping(raw)) return { problem: " must be a mapping" }
  const base = known ?? (raw.host === "tmux" ? tmuxRuntime : processRuntime)
  const changes: { [field: string]: unknown } = {}
  for (const [key, value] of Object.entries(raw)) {
    const found = keys[key]
    if (!found)
      return { problem: `${key} is not a key of a runtime; those are ${Object.keys(keys).join(", ")}` }
    const [field, parse] = found
    const parsed = parse(value)
    if ("problem" in parsed) return { problem: `${key} ${parsed.problem}` }
    changes[field] = parsed.value
  }
  const config = { ...base, ...byTranscript(raw), ...changes } as RuntimeConfig
  const problem = conflictIn(config)
  return problem === undefined ? { value: config } : { problem }
}

/** Where what was heard is written down, that is the evidence and the activity, unless something else is said. */
const byTranscript = (raw: Data): Partial<RuntimeConfig> =>
  raw.transcript === undefined ? {} : { confirm: "transcript", activity: "transcript" }

const conflictIn = (config: RuntimeConfig): string | undefined => {
  const {
    host,
    deliver,
    format,
    ready,
    dialogs: asked,
    confirm,
    activity,
    transcript,
    interrupt: by
  } = config
  const isTmux = host === "tmux"
  if (deliver !== (isTmux ? "paste" : "stdin")) {
    return `deliver must be ${isTmux ? "paste" : "stdin"} on the host ${host}`
  }
  if (isTmux && format === "json") return "format must be envelope or text on the host tmux"
  if (!isTmux && (ready._tag === "Pane" || asked.length > 0 || by._tag === "Keys")) {
    return "ready.pane, dialogs and interrupt.keys need the host tmux: a process has no screen"
  }
  if ((confirm === "transcript" || activity === "transcript") && transcript === undefined) {
    return "transcript must name its files"
  }
  return confirm === "transcript" && format === "text"
    ? "confirm must be ack or written where the format is text: nothing in it names the message"
    : undefined
}
