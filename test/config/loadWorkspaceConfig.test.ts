import { describe, expect, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import type { ConfigProblem } from "../../src/config/ConfigProblem.js"
import { loadWorkspaceConfig, parseWorkspaceConfig } from "../../src/config/loadWorkspaceConfig.js"
import { parseDuration } from "../../src/config/values.js"
import { makeWorkspace } from "../support/workspaces.js"

const parse = (text: string, file = "mound.yaml") =>
  Effect.runSync(Effect.either(parseWorkspaceConfig(file, text)))

const accepted = (text: string, file?: string) => {
  const parsed = parse(text, file)
  if (Either.isLeft(parsed)) throw parsed.left
  return parsed.right
}

/** Faults as `line path code`. */
const faults = (text: string, file?: string): ReadonlyArray<string> => {
  const parsed = parse(text, file)
  return Either.isRight(parsed) ? [] : parsed.left.errors.map(brief)
}
const brief = ({ line, path, code }: ConfigProblem) => `${line} ${path} ${code}`

describe("durations", () => {
  it.each([
    ["250ms", 250],
    ["30s", 30_000],
    ["5m", 300_000],
    ["1h", 3_600_000],
    ["7d", 604_800_000],
    ["300s", 300_000]
  ])("reads %s", (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  it.each(["10", "1.5h", "0s", "-1s", "1 m", "1h30m", "5S", "", "9007199254740993ms"])(
    "refuses %j",
    (text) => {
      expect(parseDuration(text)).toBeUndefined()
    }
  )
})

describe("a workspace's configuration", () => {
  it("has a default for everything", () => {
    const { config } = accepted("senses: { a: }\nworkflows: { w: {} }")
    expect(config).toMatchObject({
      maxRounds: 100,
      senses: [
        { name: "a", group: "default", throttleMs: 0, timeoutMs: 30_000, graceMs: 0, intervalsMs: [], on: [] }
      ],
      workflows: [
        {
          name: "w",
          concurrency: 1,
          overflow: "drop",
          maxQueue: 100,
          timeoutMs: 86_400_000,
          roleTimeoutMs: 3_600_000,
          drainTimeoutMs: 30_000,
          onReload: "interrupt"
        }
      ]
    })
  })

  it("gives a sense the union of all its triggers", () => {
    const { config } = accepted(`
senses:
  a: { interval: 10s }
  b: { on: [a] }
  c: {}
reflexes:
  - { sense: a, interval: 5s }
  - { kind: sense, sense: c, interval: 1m, on: [a, b] }
  - { sense: c, on: [b] }`)
    expect(config.senses.map(({ name, intervalsMs, on }) => [name, intervalsMs, on])).toEqual([
      ["a", [5_000, 10_000], []],
      ["b", [], ["a"]],
      ["c", [60_000], ["a", "b"]]
    ])
    expect(config.reflexes).toBe(5)
  })

  it("may be missing, and then is empty", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { config, file } = yield* loadWorkspaceConfig(yield* makeWorkspace({}))
          expect(file).toBeNull()
          expect(config).toMatchObject({ maxRounds: 100, senses: [], workflows: [] })
        })
      )
    ))

  it("leaves the sections of the settings to their own reader", () => {
    expect(faults("http: { port: 0 }\nledger: {}\nhub: {}\nsenses: {}")).toEqual([])
  })

  it("may use aliases, within reason", () => {
    const { config } = accepted("senses:\n  a: &quick { throttle: 1s }\n  b: *quick")
    expect(config.senses[1]).toMatchObject({ name: "b", throttleMs: 1_000 })
    const many = Array.from({ length: 101 }, (_, n) => `  s${n}: *quick`).join("\n")
    expect(faults(`senses:\n  a: &quick {}\n${many}`)).toEqual(["1  not_yaml"])
  })
})

describe("a configuration is refused for", () => {
  const two = "senses: { a: {}, b: {} }\n"
  it.each([
    [
      "a reflex that starts a workflow by kind",
      `${two}reflexes: [{ kind: workflow, sense: a }]`,
      "2 reflexes[0].kind reflex_starts_workflow"
    ],
    [
      "a workflow beside a sense",
      `${two}reflexes: [{ sense: a, workflow: w }]`,
      "2 reflexes[0].workflow reflex_starts_workflow"
    ],
    ["an old spelling", "senses: { a: { gracePeriod: 1s } }", "1 senses.a.gracePeriod unknown_key"],
    [
      "an old spelling of a workflow",
      "workflows: { w: { overflow: queue, maxQueue: 2 } }",
      "1 workflows.w.maxQueue unknown_key"
    ],
    ["a number as duration", "senses: { a: { throttle: 10 } }", "1 senses.a.throttle bad_duration"],
    ["listening to nobody that is", "senses: { a: { on: [no-such] } }", "1 senses.a.on[0] unknown_sense"],
    ["listening to itself", "senses: { a: { on: [a] } }", "1 senses.a.on[0] self_listen"],
    ["a reflex without trigger", `${two}reflexes: [{ sense: a }]`, "2 reflexes[0] no_trigger"],
    ["a reflex with an empty list", `${two}reflexes: [{ sense: a, on: [] }]`, "2 reflexes[0] no_trigger"],
    ["a reflex of no sense", `${two}reflexes: [{ interval: 1s }]`, "2 reflexes[0].sense missing"],
    [
      "a reflex of an unknown sense",
      `${two}reflexes: [{ sense: c, interval: 1s }]`,
      "2 reflexes[0].sense unknown_sense"
    ],
    ["no runs at a time", "workflows: { w: { concurrency: 0 } }", "1 workflows.w.concurrency out_of_range"],
    [
      "another word for overflow",
      "workflows: { w: { overflow: wait } }",
      "1 workflows.w.overflow out_of_range"
    ],
    [
      "a queue of what drops",
      "workflows: { w: { max_queue: 5 } }",
      "1 workflows.w.max_queue queue_option_without_queue"
    ],
    ["too long a timeout", "senses: { a: { timeout: 2h } }", "1 senses.a.timeout out_of_range"],
    ["a name that is none", "senses: { Disk_Usage: {} }", "1 senses.Disk_Usage bad_name"],
    ["a long name", `senses: { ${"x".repeat(65)}: {} }`, `1 senses.${"x".repeat(65)} bad_name`],
    ["too many rounds", "max_rounds: 1001", "1 max_rounds out_of_range"],
    ["rounds in words", "max_rounds: ten", "1 max_rounds wrong_type"],
    ["a key given twice", "senses: {}\nsenses: {}", "2 senses duplicate_key"],
    ["a sense given twice", "senses:\n  a: {}\n  a: {}", "3 senses.a duplicate_key"],
    ["a tab", "senses:\n\ta: {}", "2  not_yaml"],
    ["a list where a mapping is meant", "senses: [a]", "1 senses wrong_type"],
    ["a key that nobody owns", "sense: {}", "1 sense unknown_key"],
    ["two drains", "workflows: { w: { drain_timeout: 500ms } }", "1 workflows.w.drain_timeout out_of_range"]
  ])("%s", (_, text, fault) => {
    expect(faults(text)).toEqual([fault])
  })

  it("a ring of senses, once, by all their names", () => {
    const text = "senses:\n  a: { on: [b] }\n  b: { on: [c] }\n  c: {}\nreflexes:\n  - { sense: c, on: [a] }"
    const parsed = parse(text)
    const errors = Either.isLeft(parsed) ? parsed.left.errors : []
    expect(errors.map(brief)).toEqual(["6 reflexes[0].on[0] cycle"])
    expect(errors[0]?.message).toContain("a on b on c on a")
  })

  it("more than a megabyte", () => {
    expect(faults(`# ${"x".repeat(1024 * 1024)}`)).toEqual(["1  too_large"])
  })

  it("all its faults at once, in the order of their lines", () => {
    const text = `max_rounds: 0
senses:
  a: { throttle: 1 }
  b: { timeout: 2h, gracePeriod: 1s }
  C: {}
reflexes:
  - { sense: nobody, interval: 1s }
  - { sense: a }
workflows:
  w: { concurrency: 65, max_queue: 1 }
  v: { overflow: maybe }
`
    expect(faults(text)).toEqual([
      "1 max_rounds out_of_range",
      "3 senses.a.throttle bad_duration",
      "4 senses.b.timeout out_of_range",
      "4 senses.b.gracePeriod unknown_key",
      "5 senses.C bad_name",
      "7 reflexes[0].sense unknown_sense",
      "8 reflexes[1] no_trigger",
      "10 workflows.w.concurrency out_of_range",
      "10 workflows.w.max_queue queue_option_without_queue",
      "11 workflows.v.overflow out_of_range"
    ])
  })

  it("a misspelt key, naming the one that was meant", () => {
    const parsed = parse("senses: { a: { gracePeriod: 1s, tiemout: 1s } }")
    expect(Either.isLeft(parsed) && parsed.left.errors.map(({ fix }) => fix)).toEqual([
      "did you mean grace_period?",
      "did you mean timeout?"
    ])
  })
})

describe("warnings", () => {
  it("say that ticks come faster than the throttle allows", () => {
    const { warnings } = accepted("senses: { a: { throttle: 10s, interval: 5s } }")
    expect(warnings.map(brief)).toEqual(["1 senses.a.interval interval_below_throttle"])
  })
})

describe("nerve.yaml", () => {
  const old = "nerve.yaml"
  it("is read in its own spelling, and its unknown keys are only warned of", () => {
    const { config, warnings } = accepted(
      "maxRounds: 7\nagents: {}\nextract: x\nsenses: { a: { gracePeriod: 2s, colour: red } }\nworkflows: { w: { overflow: queue, maxQueue: 3 } }",
      old
    )
    expect(config).toMatchObject({ maxRounds: 7, senses: [{ graceMs: 2_000 }], workflows: [{ maxQueue: 3 }] })
    expect(warnings.map(brief)).toEqual([
      "1 maxRounds old_spelling",
      "2 agents unknown_key",
      "3 extract unknown_key",
      "4 senses.a.gracePeriod old_spelling",
      "4 senses.a.colour unknown_key",
      "5 workflows.w.maxQueue old_spelling"
    ])
  })

  it("may not give one key in both spellings", () => {
    expect(faults("max_rounds: 5\nmaxRounds: 7", old)).toEqual(["2 maxRounds two_spellings"])
  })

  it("is refused for the same faults", () => {
    expect(faults("senses: { a: { throttle: 10 } }", old)).toEqual(["1 senses.a.throttle bad_duration"])
  })

  it.scoped("is read where there is no mound.yaml, which else comes first, with a warning", () =>
    Effect.gen(function* () {
      const alone = yield* loadWorkspaceConfig(yield* makeWorkspace({ "nerve.yaml": "maxRounds: 7" }))
      expect([alone.config.maxRounds, alone.file?.endsWith(old)]).toEqual([7, true])
      const both = yield* loadWorkspaceConfig(
        yield* makeWorkspace({ "nerve.yaml": "maxRounds: 7", "mound.yaml": "max_rounds: 8" })
      )
      expect([both.config.maxRounds, both.warnings.map(({ code }) => code)]).toEqual([8, ["two_files"]])
    })
  )
})
