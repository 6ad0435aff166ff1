import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { type LoadSettings, loadSettings } from "../../src/config/Settings.js"
import { temporaryFolder } from "../support/stores.js"

/** The settings of a workspace with this `mound.yaml`. */
const load = (yaml: string | undefined, more: Partial<LoadSettings> = {}) =>
  Effect.gen(function* () {
    const workspace = yield* temporaryFolder
    if (yaml !== undefined) writeFileSync(join(workspace, "mound.yaml"), yaml)
    return yield* loadSettings({ workspace, environment: {}, ...more })
  })

/** What is wrong, as `source: key problem` without the folder. */
const problemsOf = (yaml: string | undefined, more: Partial<LoadSettings> = {}) =>
  Effect.map(Effect.flip(load(yaml, more)), ({ problems }) =>
    problems.map(({ source, key, problem }) => `${source.replace(/^.*\//, "")}: ${key} ${problem}`)
  )

describe("settings", () => {
  it.scoped("have their defaults where nothing is said", () =>
    Effect.gen(function* () {
      const { settings, warnings } = yield* load(undefined)
      expect(settings).toMatchObject({
        "http.host": "127.0.0.1",
        "hub.drain_timeout": 30_000,
        "ledger.lease.ttl": 300_000,
        "ledger.lease.grace": 60_000,
        "ledger.sweep.floor": 0.01,
        "ledger.list_claimed": true,
        "ledger.max_body_bytes": 16 * 1_048_576,
        stateDir: join(settings.workspace, ".mound")
      })
      expect(settings["http.port"]).toBeUndefined()
      expect(settings["ledger.sweep.interval"]).toBeUndefined()
      expect(warnings).toEqual([])
    })
  )

  it.scoped("take the old project's variables for tokens, kinds and inflations", () =>
    Effect.gen(function* () {
      const environment = {
        SBP_AUTH_TOKENS_FILE: "/t.json",
        SBP_KIND_REGISTRY_FILE: "/k.json",
        SBP_INFLATE_MAX_PER_WINDOW: "5",
        SBP_INFLATE_WINDOW_SECONDS: "60"
      }
      const { settings, warnings } = yield* load(undefined, { environment })
      expect(settings).toMatchObject({
        "ledger.auth.tokens_file": "/t.json",
        "ledger.auth.kind_registry": "/k.json",
        "ledger.auth.inflate_max": 5,
        "ledger.auth.inflate_window": 60_000
      })
      expect(warnings).toEqual([])
      const off = { SBP_INFLATE_MAX_PER_WINDOW: "0", SBP_INFLATE_WINDOW_SECONDS: "0" }
      expect(
        (yield* load(undefined, { environment: off })).settings["ledger.auth.inflate_window"]
      ).toBeUndefined()
      const alone = yield* load("ledger: { auth: { kind_registry: k.json } }")
      expect(alone.warnings).toEqual([
        "ledger.auth.kind_registry has no effect without ledger.auth.tokens_file"
      ])
    })
  )

  it.scoped(
    "take a flag before a variable, a variable before the file, and the file before an old variable",
    () =>
      Effect.gen(function* () {
        const yaml = "http: { port: 4003 }\nledger: { sweep: { floor: 0.3 } }\n"
        const old = { SBP_DECAY_GC_FLOOR: "0.4", SBP_DECAY_GC_INTERVAL_MS: "1500" }
        const fromFile = yield* load(yaml, { environment: old })
        expect(fromFile.settings).toMatchObject({
          "http.port": 4003,
          portSource: "config",
          "ledger.sweep.floor": 0.3,
          "ledger.sweep.interval": 1_500
        })
        const environment = { ...old, MOUND_PORT: " 4002 ", MOUND_LEDGER_SWEEP_FLOOR: "0.2" }
        const fromVariables = yield* load(yaml, { environment })
        expect(fromVariables.settings).toMatchObject({
          "http.port": 4002,
          portSource: "env",
          "ledger.sweep.floor": 0.2
        })
        const fromFlags = yield* load(yaml, { environment, flags: { "http.port": "4001" } })
        expect(fromFlags.settings).toMatchObject({ "http.port": 4001, portSource: "flag" })
      })
  )

  it.scoped("read durations, sizes, lists, switches and off", () =>
    Effect.gen(function* () {
      const { settings } = yield* load(`
http: { allowed_hosts: [a.test, b.test], max_body: 64KiB, token_file: secrets/token }
hub: { drain_timeout: 2m }
ledger:
  preclaim: true
  compat_ttl: 1d
  max_held_per_peer: 3
  sweep: { interval: off, max_bytes: 1GiB, open_after: 12h }
  lease: { ttl: 90s, grace: 0s }
`)
      expect(settings).toMatchObject({
        "http.allowed_hosts": ["a.test", "b.test"],
        "http.max_body": 65_536,
        "http.token_file": join(settings.workspace, "secrets/token"),
        "hub.drain_timeout": 120_000,
        "ledger.preclaim": true,
        "ledger.compat_ttl": 86_400_000,
        "ledger.max_held_per_peer": 3,
        "ledger.sweep.max_bytes": 1_073_741_824,
        "ledger.sweep.open_after": 43_200_000,
        "ledger.lease.ttl": 90_000,
        "ledger.lease.grace": 0
      })
      expect(settings["ledger.sweep.interval"]).toBeUndefined()
    })
  )

  it.scoped("take an empty variable for none", () =>
    Effect.gen(function* () {
      const environment = {
        MOUND_PORT: " ",
        MOUND_TOKEN: "",
        MOUND_DIR: "",
        MOUND_HTTP_ALLOWED_HOSTS: "a, b"
      }
      const { settings } = yield* load(undefined, { environment })
      expect(settings["http.port"]).toBeUndefined()
      expect(settings.token).toBeUndefined()
      expect(settings.stateDir).toBe(join(settings.workspace, ".mound"))
      expect(settings["http.allowed_hosts"]).toEqual(["a", "b"])
    })
  )

  it.scoped("name every value that cannot be, at once, each by its key and where it stands", () =>
    Effect.gen(function* () {
      const yaml = "http:\n  port: -1\n  host: 5\nledger:\n  preclaim: perhaps\n  lease: { ttl: 5 }\n"
      const environment = {
        MOUND_HUB_DRAIN_TIMEOUT: "x",
        MOUND_DRAIN_TIMEOUT: "1h",
        SBP_LEDGER_MAX_BYTES: "lots"
      }
      const flags = { "ledger.sweep.floor": "low" }
      expect(yield* problemsOf(yaml, { environment, flags })).toEqual([
        "mound.yaml:2:3: http.port must be an integer from 0 to 65535",
        "mound.yaml:3:3: http.host must be a text",
        "MOUND_DRAIN_TIMEOUT: hub.drain_timeout must be a duration such as 250ms, 30s or 5m, from 1000 to 600000 ms",
        "mound.yaml:5:3: ledger.preclaim must be true or false",
        "--floor: ledger.sweep.floor must be a finite number",
        `SBP_LEDGER_MAX_BYTES: ledger.sweep.max_bytes must be a size such as 64KiB or 16MiB, from 1 to ${1_024 ** 4} bytes`,
        "mound.yaml:6:12: ledger.lease.ttl must be a duration such as 250ms, 30s or 5m, from 1000 to 86400000 ms"
      ])
    })
  )

  it.scoped("refuse a key that nobody owns, with the one that was probably meant", () =>
    Effect.gen(function* () {
      expect(yield* problemsOf("http:\n  prot: 1\nledger:\n  lease:\n    tll: 5m\nconstructor: 1\n")).toEqual(
        [
          "mound.yaml:2:3: http.prot is not a setting; did you mean http.port?",
          "mound.yaml:5:5: ledger.lease.tll is not a setting; did you mean ledger.lease.ttl?",
          "mound.yaml:6:1: constructor is not a setting"
        ]
      )
    })
  )

  it.scoped("refuse a file that is no YAML, no mapping, or says a key twice", () =>
    Effect.gen(function* () {
      expect(yield* problemsOf("http: {")).toEqual([
        expect.stringMatching(/^mound\.yaml:\d+:\d+: mound\.yaml \S/)
      ])
      expect(yield* problemsOf("[1]")).toEqual(["mound.yaml: mound.yaml must be a mapping of settings"])
      expect(yield* problemsOf("http: 5")).toEqual(["mound.yaml: http must be a mapping of settings"])
      expect(yield* problemsOf("http: {}\nhttp: {}")).toEqual([expect.stringContaining("unique")])
    })
  )

  it.scoped("say that a file is there and cannot be read", () =>
    Effect.gen(function* () {
      const workspace = yield* temporaryFolder
      mkdirSync(join(workspace, "mound.yaml"))
      const { message } = yield* Effect.flip(loadSettings({ workspace, environment: {} }))
      expect(message).toContain(`${join(workspace, "mound.yaml")}: mound.yaml cannot be read: Error: EISDIR`)
    })
  )

  it.scoped("take an empty file or section for none", () =>
    Effect.gen(function* () {
      for (const yaml of ["", "# nothing\n", "---\n", "http:\n  # port: 1\nledger:\n  lease:\n"]) {
        expect((yield* load(yaml)).settings["http.host"]).toBe("127.0.0.1")
      }
    })
  )

  it.scoped("warn once of old variables that have no effect", () =>
    Effect.gen(function* () {
      const environment = { SBP_B: "1", SBP_A: "1", SBP_URL: "u", SBP_DECAY_GC_FLOOR: "0.5", PATH: "p" }
      expect((yield* load(undefined, { environment })).warnings).toEqual([
        "these variables of the old ledger have no effect: SBP_A, SBP_B"
      ])
    })
  )

  it.scoped("of the examples are right", () =>
    Effect.gen(function* () {
      for (const example of ["ledger", "embedded/workspace"]) {
        const path = join(import.meta.dirname, "../../examples", example, "mound.yaml")
        yield* load(readFileSync(path, "utf8"))
      }
    })
  )
})
