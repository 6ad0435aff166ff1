/**
 * Everything that can be configured, read once at start: from flags, the environment, `mound.yaml` and the old ledger's variables,
 * in that order. All errors are reported at once, each with its key and its source.
 */
import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { Effect, Schema } from "effect"
import { isMap, isScalar, LineCounter, type Node, type Pair, parseDocument } from "yaml"
import {
  boolean,
  duration,
  headers,
  integer,
  number,
  offOr,
  type Parser,
  size,
  text,
  texts,
  webUrl,
  word
} from "./parsers.js"
import { builtInRuntimes } from "./runtimePresets.js"
import { runtimeTable } from "./runtimes.js"
import { workspaceKeys } from "./WorkspaceConfig.js"

interface Setting<A> {
  readonly parse: Parser<A>
  readonly fallback: A
  /** An older key of `mound.yaml` for the same thing. */
  readonly alias?: string
  /** Variable to read besides the one that the key's name gives. */
  readonly old?: string | ReadonlyArray<string>
  /** A file or folder: a relative one is meant from the workspace in `mound.yaml`, else from where the program was started. */
  readonly isPath?: true
  /** How the old variable writes what the key calls a duration: as a plain number of these. */
  readonly oldUnit?: "ms" | "s"
  /**
   * The variables of the old peer system, with MOUND_ or IAPEER_ before the name: plain positive numbers of this unit, which win over
   * the file. Any other value has no effect, as it had none there, and is warned of (contracts: peers 6).
   */
  readonly number?: readonly [name: string, unit: "s" | ""]
  /** The same for a variable whose words the setting reads itself. */
  readonly word?: string
}

const setting = <A>(
  parse: Parser<A>,
  fallback: NoInfer<A>,
  more: Omit<Setting<A>, "parse" | "fallback"> = {}
): Setting<A> => ({
  parse,
  fallback,
  ...more
})

const dayMs = 86_400_000
const KiB = 1_024
const MiB = 1_024 * KiB

/** The tools that an agent can be offered by the Model Context Protocol. */
const tools = [
  "send_to_peer",
  "list_peers",
  "deposit",
  "claim_next",
  "renew",
  "complete",
  "trigger_workflow",
  "run_status"
] as const

const toolNames: Parser<ReadonlyArray<string>> = (raw) => {
  const parsed = texts(raw)
  const known: ReadonlyArray<string> = tools
  const unknown = "value" in parsed ? parsed.value.find((name) => !known.includes(name)) : undefined
  return unknown === undefined ? parsed : { problem: `${unknown} is no tool; those are ${tools.join(", ")}` }
}

/** Of several old variables for one thing only one may be set. */
const oneText: Parser<string> = (raw) =>
  Array.isArray(raw) ? { problem: "is set by both; set only one of them" } : text(raw)

/** Yes or no, in any of the words that the old system knew. */
const yesOrNo: Parser<boolean> = (raw) =>
  raw === "yes" || raw === "no" ? { value: raw === "yes" } : boolean(raw)

const onStop: Parser<"leave" | "end"> = (raw) =>
  raw === "leave" || raw === "end" ? { value: raw } : { problem: "must be leave or end" }

const identityHeader: Parser<"loopback" | "off"> = (raw) => {
  if (raw === "off" || raw === false) return { value: "off" }
  return raw === "loopback" ? { value: "loopback" } : { problem: "must be loopback or off" }
}

/** From the most to the least that is logged. */
export const logLevels = ["DEBUG", "INFO", "WARN", "ERROR"] as const
export type LogLevel = (typeof logLevels)[number]

/** Keys, limits and defaults of contracts: hub 6, ledger 6.1 and peers 6. */
const settings = {
  "http.port": setting<number | undefined>(integer(0, 65_535), undefined),
  "http.host": setting(text, "127.0.0.1"),
  "http.socket": setting(boolean, true),
  "http.token_file": setting<string | undefined>(text, undefined, { isPath: true }),
  "http.allowed_hosts": setting(texts, []),
  "http.allowed_origins": setting(texts, []),
  "http.max_body": setting(size(64 * KiB, 64 * MiB), 16 * MiB),
  "hub.drain_timeout": setting(duration(1_000, 600_000), 30_000),
  "hub.ready_timeout": setting(duration(1_000, 3_600_000), 30_000),
  "hub.memory_limit": setting(size(64 * MiB, 1_024 ** 4), 2_048 * MiB),
  "log.level": setting(word(logLevels), "INFO"),
  "log.max_bytes": setting(size(1_000, 1_024 ** 4), 10 * MiB),
  "log.max_files": setting(integer(0, 1_000), 5),
  "journal.archive_after": setting(offOr(duration(dayMs, 3_650 * dayMs)), undefined),
  "journal.backup_every": setting(offOr(duration(1_000, 365 * dayMs)), undefined),
  "journal.backup_keep": setting(integer(1, 10_000), 7),
  "streams.enabled": setting(boolean, false, { alias: "experimental.durableStreams" }),
  "streams.long_poll": setting(duration(100, dayMs), 30_000),
  "streams.heartbeat": setting(duration(100, dayMs), 30_000),
  "streams.comment": setting(duration(100, dayMs), 15_000),
  "servers.ttl": setting(duration(1_000, dayMs), 30_000),
  "servers.forget_after": setting(duration(1_000, 30 * dayMs), 300_000),
  "telemetry.endpoint": setting<string | undefined>(webUrl, undefined),
  "telemetry.interval": setting(duration(100, dayMs), 10_000),
  "telemetry.service": setting(text, "mound"),
  "ledger.preclaim": setting(boolean, false),
  "ledger.list_claimed": setting(boolean, true),
  "ledger.compat_ttl": setting(offOr(duration(1_000, dayMs)), undefined),
  "ledger.import": setting<string | undefined>(oneText, undefined, {
    old: ["SBP_LEDGER_JSONL", "SBP_LEDGER_SQLITE"],
    isPath: true
  }),
  "ledger.runtime_file": setting<string | undefined>(text, undefined, {
    old: "SBP_RUNTIME_FILE",
    isPath: true
  }),
  "ledger.stance_registry": setting<string | undefined>(text, undefined, {
    old: "SBP_STANCE_REGISTRY",
    isPath: true
  }),
  "ledger.audit.file": setting<string | undefined>(text, undefined, { old: "SBP_LOG_FILE", isPath: true }),
  "ledger.audit.stderr": setting(boolean, false, { old: "SBP_LOG_STDERR" }),
  "ledger.sweep.interval": setting(offOr(duration(100, 30 * dayMs)), undefined, {
    old: "SBP_DECAY_GC_INTERVAL_MS",
    oldUnit: "ms"
  }),
  "ledger.sweep.floor": setting(number, 0.01, { old: "SBP_DECAY_GC_FLOOR" }),
  "ledger.sweep.max_bytes": setting(offOr(size(1, 1_024 ** 4)), undefined, { old: "SBP_LEDGER_MAX_BYTES" }),
  "ledger.sweep.open_after": setting(offOr(duration(1_000, 3_650 * dayMs)), undefined),
  "ledger.lease.ttl": setting(duration(1_000, dayMs), 300_000),
  "ledger.lease.grace": setting(duration(0, 3_600_000), 60_000),
  "ledger.max_held_per_peer": setting(offOr(integer(1, 1_000_000)), undefined),
  "ledger.max_body_bytes": setting(size(64 * KiB, 64 * MiB), 16 * MiB),
  "ledger.auth.tokens_file": setting<string | undefined>(text, undefined, {
    old: "SBP_AUTH_TOKENS_FILE",
    isPath: true
  }),
  "ledger.auth.kind_registry": setting<string | undefined>(text, undefined, {
    old: "SBP_KIND_REGISTRY_FILE",
    isPath: true
  }),
  "ledger.auth.inflate_max": setting(offOr(integer(0, 1_000_000)), undefined, {
    old: "SBP_INFLATE_MAX_PER_WINDOW"
  }),
  "ledger.auth.inflate_window": setting(offOr(duration(1_000, 30 * dayMs)), undefined, {
    old: "SBP_INFLATE_WINDOW_SECONDS",
    oldUnit: "s"
  }),
  "mcp.tools": setting<ReadonlyArray<string>>(toolNames, tools),
  "peers.idle": setting(duration(1_000, 30 * dayMs), 3_600_000, { number: ["IDLE_SECS", "s"] }),
  "peers.boot": setting<number | undefined>(duration(1_000, 3_600_000), undefined, {
    number: ["BOOT_DEADLINE_SECS", "s"]
  }),
  "peers.crash_loop.max": setting(integer(1, 16), 3, { number: ["CRASHLOOP_MAX", ""] }),
  "peers.crash_loop.window": setting(duration(1_000, dayMs), 300_000, {
    number: ["CRASHLOOP_WINDOW_SECS", "s"]
  }),
  "peers.ephemeral.quiet": setting(duration(1, dayMs), 20_000, { number: ["EPHEMERAL_QUIET_SECS", "s"] }),
  "peers.ephemeral.unarmed_idle": setting(duration(1, dayMs), 600_000, {
    number: ["EPHEMERAL_UNARMED_IDLE_SECS", "s"]
  }),
  "peers.restart.first": setting(duration(1, dayMs), 1_000),
  "peers.restart.max": setting(duration(1, dayMs), 60_000),
  "peers.restart.healthy_after": setting(duration(1, dayMs), 60_000),
  "peers.queue.max_messages": setting(integer(1, 100_000), 1_000),
  "peers.queue.max_attempts": setting(integer(1, 100), 3),
  "peers.max_booting": setting(integer(1, 1_000), 8),
  "peers.sessions_kept": setting(integer(1, 1_000), 5),
  "peers.lifecycle_log.max_bytes": setting(size(1, 1_024 ** 3), 5 * MiB, {
    number: ["LIFECYCLE_LOG_MAX_BYTES", ""]
  }),
  "peers.lifecycle_log.keep": setting(integer(0, 100), 5, { number: ["LIFECYCLE_LOG_KEEP", ""] }),
  "peers.lifecycle_log.verbose": setting(yesOrNo, false, { word: "SUPERVISE_LOG_VERBOSE" }),
  "peers.output_max": setting(size(64 * KiB, 1_024 ** 4), 16 * MiB),
  "peers.on_stop": setting<"leave" | "end">(onStop, "leave"),
  "peers.identity_header": setting<"loopback" | "off">(identityHeader, "loopback"),
  "peers.runtimes": setting(runtimeTable, builtInRuntimes)
}

/** Today's keys by their older ones. */
const aliases: ReadonlyMap<string, string> = new Map(
  Object.entries(settings as { readonly [key: string]: Setting<unknown> }).flatMap(([key, { alias }]) =>
    alias === undefined ? [] : [[alias, key] as const]
  )
)
const keys: ReadonlyArray<string> = [...Object.keys(settings), ...aliases.keys()]

type Definitions = typeof settings

/** The first parts of all keys: what may stand at the top of `mound.yaml` beside senses and workflows. */
export const topLevelKeys: ReadonlyArray<string> = [
  ...new Set(keys.map((key) => key.split(".")[0] as string))
]
type Key = keyof Definitions

/** Variables whose names do not follow from their keys. */
const variables: { readonly [K in Key]?: string } = {
  "http.port": "MOUND_PORT",
  "http.host": "MOUND_HOST",
  "ledger.runtime_file": "MOUND_RUNTIME_FILE",
  "hub.drain_timeout": "MOUND_DRAIN_TIMEOUT",
  "hub.ready_timeout": "MOUND_READY_TIMEOUT",
  "telemetry.endpoint": "OTEL_EXPORTER_OTLP_ENDPOINT",
  "telemetry.service": "OTEL_SERVICE_NAME"
}

export type Settings = {
  readonly [K in Key]: Definitions[K] extends Setting<infer A> ? A : never
} & {
  readonly workspace: string
  readonly stateDir: string
  /** The token itself, from MOUND_TOKEN. */
  readonly token: string | undefined
  /** What a collector is shown, from OTEL_EXPORTER_OTLP_HEADERS: often a secret, so never from a file. */
  readonly telemetryHeaders: { readonly [name: string]: string }
  /** Where the port comes from, if it is set. */
  readonly portSource: "flag" | "env" | "config" | undefined
}

/** One value that cannot be used. */
export interface SettingProblem {
  readonly key: string
  readonly source: string
  readonly problem: string
}

export class SettingsInvalid extends Schema.TaggedError<SettingsInvalid>()("SettingsInvalid", {
  problems: Schema.Array(Schema.Struct({ key: Schema.String, source: Schema.String, problem: Schema.String }))
}) {
  override get message() {
    return this.problems.map(({ key, source, problem }) => `${source}: ${key} ${problem}`).join("\n")
  }
}

export type Environment = { readonly [name: string]: string | undefined }

export interface LoadSettings {
  readonly workspace: string
  readonly environment: Environment
  /** Values from the command line, by key, as text. */
  readonly flags?: { readonly [K in Key]?: string | undefined }
}

/** The settings of a workspace, and warnings that a person should see. */
export interface Loaded {
  readonly settings: Settings
  readonly warnings: ReadonlyArray<string>
}

export const loadSettings = ({
  workspace,
  environment,
  flags = {}
}: LoadSettings): Effect.Effect<Loaded, SettingsInvalid> =>
  Effect.suspend(() => {
    const problems: Array<SettingProblem> = []
    const file = readFile(join(workspace, "mound.yaml"), problems)
    const values: { [key: string]: unknown } = {}
    const warnings: Array<string> = []
    let portSource: Settings["portSource"]
    for (const [key, definition] of Object.entries(settings) as Array<[Key, Setting<unknown>]>) {
      const found = firstSet(key, definition, flags, environment, file, warnings)
      if (!found) {
        values[key] = definition.fallback
        continue
      }
      const parsed = definition.parse(found.raw)
      if ("problem" in parsed) problems.push({ key, source: found.source, problem: parsed.problem })
      else if (definition.isPath && found.from === "config")
        values[key] = resolve(workspace, String(parsed.value))
      else values[key] = parsed.value
      if (key === "http.port") portSource = found.from
    }
    const telemetryHeaders = readHeaders(environment, problems)
    if (problems.length > 0) return new SettingsInvalid({ problems })
    const stateDir = trimmed(environment.MOUND_DIR) ?? join(workspace, ".mound")
    const token = trimmed(environment.MOUND_TOKEN)
    const own = { workspace, stateDir, token, telemetryHeaders, portSource }
    const loaded = { ...values, ...own } as unknown as Settings
    const ignored = [...withoutTokens(loaded), ...oldVariables(environment)]
    return Effect.succeed({ settings: loaded, warnings: [...warnings, ...ignored] })
  })

interface Found {
  readonly raw: unknown
  readonly source: string
  readonly from: "flag" | "env" | "config"
}

const firstSet = (
  key: Key,
  { old, oldUnit, number, word: named }: Setting<unknown>,
  flags: { readonly [key: string]: string | undefined },
  environment: Environment,
  file: ReadonlyMap<string, Found>,
  warnings: Array<string>
): Found | undefined => {
  const flag = flags[key]
  if (flag !== undefined)
    return { raw: flag, source: `--${key.split(".").at(-1)?.replaceAll("_", "-")}`, from: "flag" }
  const name = variables[key] ?? `MOUND_${key.replaceAll(".", "_").toUpperCase()}`
  const variable = trimmed(environment[name])
  if (variable !== undefined) return { raw: variable, source: name, from: "env" }
  const plain = number && plainNumber(number, environment, warnings)
  if (plain) return plain
  for (const source of named === undefined ? [] : [`MOUND_${named}`, `IAPEER_${named}`]) {
    const value = trimmed(environment[source])
    if (value !== undefined) return { raw: value, source, from: "env" }
  }
  const fromFile = file.get(key)
  if (fromFile) return fromFile
  const set = [old ?? []].flat().flatMap((source) => {
    const value = trimmed(environment[source])
    return value === undefined ? [] : [{ source, value }]
  })
  const [first, ...others] = set
  if (!first) return undefined
  const values = set.map(({ value }) => (oldUnit && /^[1-9]\d*$/.test(value) ? `${value}${oldUnit}` : value))
  const source = set.map((each) => each.source).join(" and ")
  return { raw: others.length === 0 ? values[0] : values, source, from: "env" }
}

const plainNumber = (
  [name, unit]: NonNullable<Setting<unknown>["number"]>,
  environment: Environment,
  warnings: Array<string>
): Found | undefined => {
  for (const source of [`MOUND_${name}`, `IAPEER_${name}`]) {
    const value = trimmed(environment[source])
    if (value === undefined) continue
    if (/^[1-9]\d*$/.test(value)) return { raw: `${value}${unit}`, source, from: "env" }
    warnings.push(`${source} has no effect: ${JSON.stringify(value)} is no positive integer`)
    return undefined
  }
  return undefined
}

const readHeaders = (
  environment: Environment,
  problems: Array<SettingProblem>
): { readonly [name: string]: string } => {
  const source = "OTEL_EXPORTER_OTLP_HEADERS"
  const parsed = headers(trimmed(environment[source]) ?? "")
  if ("value" in parsed) return parsed.value
  problems.push({ key: "its value", source, problem: parsed.problem })
  return {}
}

/** Values are trimmed, and an empty one is unset. */
const trimmed = (value: string | undefined): string | undefined => value?.trim() || undefined

/** The file's settings by key. Faults of the file as a whole, and keys that nobody owns, are problems. */
const readFile = (path: string, problems: Array<SettingProblem>): ReadonlyMap<string, Found> => {
  const found = new Map<string, Found>()
  const source = readText(path, problems)
  if (source === undefined) return found
  const lines = new LineCounter()
  const document = parseDocument(source, { lineCounter: lines })
  for (const error of document.errors) {
    const { line, col } = lines.linePos(error.pos[0])
    problems.push({
      key: "mound.yaml",
      source: `${path}:${line}:${col}`,
      problem: error.message.split("\n")[0] ?? ""
    })
  }
  if (document.errors.length > 0 || document.contents === null) return found
  const visit = (node: Node, prefix: string): void => {
    // A section whose keys are all left out.
    if (isScalar(node) && node.value === null) return
    if (!isMap(node)) {
      problems.push({ key: prefix || "mound.yaml", source: path, problem: "must be a mapping of settings" })
      return
    }
    for (const pair of node.items as Array<Pair<Node, Node | null>>) {
      const name = isScalar(pair.key) ? String(pair.key.value) : "?"
      const key = prefix === "" ? name : `${prefix}.${name}`
      const { line, col } = lines.linePos(pair.key.range?.[0] ?? 0)
      const where = `${path}:${line}:${col}`
      const known = aliases.get(key) ?? key
      if (Object.hasOwn(settings, known)) {
        const raw: unknown = pair.value?.toJS(document)
        const other = found.get(known)
        if (other && other.raw !== raw) {
          const problem = `differs from what ${other.source} says of the same thing`
          problems.push({ key, source: where, problem })
        }
        found.set(known, { raw, source: where, from: "config" })
      } else if (keys.some((each) => each.startsWith(`${key}.`))) {
        if (pair.value) visit(pair.value, key)
      } else if (prefix !== "" || !(workspaceKeys as ReadonlyArray<string>).includes(name)) {
        problems.push({ key, source: where, problem: `is not a setting${nearest(key)}` })
      }
    }
  }
  visit(document.contents as Node, "")
  return found
}

const readText = (path: string, problems: Array<SettingProblem>): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    const isMissing = (error as { readonly code?: string }).code === "ENOENT"
    if (!isMissing) problems.push({ key: "mound.yaml", source: path, problem: `cannot be read: ${error}` })
    return undefined
  }
}

/** A hint at the key that was probably meant: the known one that shares the longest beginning and end. */
const nearest = (key: string): string => {
  const similarity = (other: string) => {
    let same = 0
    while (same < key.length && key[same] === other[same]) same++
    let end = 0
    while (end < key.length - same && key.at(-1 - end) === other.at(-1 - end)) end++
    return same + end
  }
  const [best] = Object.keys(settings).sort((a, b) => similarity(b) - similarity(a))
  return best && similarity(best) > key.length / 2 ? `; did you mean ${best}?` : ""
}

const understood = new Set([
  "SBP_URL",
  "SBP_SUPERVISED",
  ...Object.values(settings).flatMap(({ old }) => old ?? [])
])

/** Rules for agents mean nothing where none is known. */
const withoutTokens = (loaded: Settings): ReadonlyArray<string> => {
  const rules = [
    "ledger.auth.kind_registry",
    "ledger.auth.inflate_max",
    "ledger.auth.inflate_window"
  ] as const
  if (loaded["ledger.auth.tokens_file"] !== undefined) return []
  return rules
    .filter((key) => loaded[key] !== undefined)
    .map((key) => `${key} has no effect without ledger.auth.tokens_file`)
}

/** Variables of the old ledger that have no effect are named once, so that nobody relies on them in silence. */
const oldVariables = (environment: Environment): ReadonlyArray<string> => {
  const ignored = Object.keys(environment).filter((name) => name.startsWith("SBP_") && !understood.has(name))
  return ignored.length === 0
    ? []
    : [`these variables of the old ledger have no effect: ${ignored.sort().join(", ")}`]
}
