import { describe, expect, it } from "@effect/vitest"
import { runtimeTable } from "../../src/config/runtimes.js"

const tableOf = (raw: object) => {
  const parsed = runtimeTable(raw)
  if ("problem" in parsed) throw new Error(parsed.problem)
  return parsed.value
}
const problemOf = (raw: object) => {
  const parsed = runtimeTable(raw)
  return "problem" in parsed ? parsed.problem : undefined
}

describe("the runtimes of mound.yaml", () => {
  it("are the built-in ones, and those that are added", () => {
    expect([...tableOf({ mine: { argv: ["x"] } }).keys()]).toEqual([
      "process",
      "tmux",
      "claude",
      "codex",
      "mine"
    ])
  })

  it("change a built-in one key by key", () => {
    const claude = tableOf({ claude: { unattended: true, boot: "60s" } }).get("claude")
    expect(claude).toMatchObject({ host: "tmux", unattended: true, bootMs: 60_000, confirm: "transcript" })
    expect(claude?.argv[0]).toBe("claude")
  })

  it("take a transcript for evidence and for activity, and what is written where there is none", () => {
    expect(tableOf({ mine: { host: "tmux", argv: ["x"] } }).get("mine")).toMatchObject({
      deliver: "paste",
      format: "envelope",
      confirm: "written",
      confirmWithinMs: 4_000,
      activity: "output",
      bootMs: 240_000
    })
    expect(tableOf({ mine: { host: "tmux", transcript: "{cwd}/*.log" } }).get("mine")).toMatchObject({
      confirm: "transcript",
      activity: "transcript"
    })
  })

  it("say every key of a terminal's program", () => {
    const mine = tableOf({
      mine: {
        host: "tmux",
        ready: { pane: "^>" },
        dialogs: [{ when: "sure", and: "2", keys: ["y"] }],
        submit: ["C-m"],
        settle: "1s",
        resubmit_after: "3s",
        interrupt: { keys: ["C-c"] },
        compact: { text: "/compact", within: "9s", match: "done" },
        resume_probe: { glob: "{cwd}/x", contains: "{cwd}" }
      }
    }).get("mine")
    expect(mine).toMatchObject({
      ready: { _tag: "Pane", pattern: /^>/m },
      dialogs: [{ when: /sure/m, and: /2/m, keys: ["y"] }],
      submit: ["C-m"],
      settleMs: 1_000,
      resubmitAfterMs: 3_000,
      interrupt: { _tag: "Keys", keys: ["C-c"] },
      compact: { _tag: "Text", text: "/compact", withinMs: 9_000, match: /done/m },
      resumeProbe: { glob: "{cwd}/x", contains: "{cwd}" }
    })
  })

  for (const [raw, problem] of [
    [{ mine: { boot: "soon" } }, "mine.boot must be a duration"],
    [{ mine: { colour: 1 } }, "mine.colour is not a key of a runtime; those are host, argv"],
    [{ "a-b": {} }, "a-b: a runtime's name must be"],
    [{ mine: { ready: { pane: "x" } } }, "need the host tmux: a process has no screen"],
    [{ mine: { deliver: "paste" } }, "deliver must be stdin on the host process"],
    [{ tmux: { deliver: "stdin" } }, "deliver must be paste on the host tmux"],
    [{ tmux: { format: "json" } }, "format must be envelope or text"],
    [{ mine: { confirm: "transcript" } }, "transcript must name its files"],
    [{ mine: { format: "text", transcript: "x" } }, "nothing in it names the message"],
    [{ tmux: { dialogs: [{ when: "(", keys: [] }] } }, "tmux.dialogs 1: when Invalid regular expression"],
    [{ tmux: { dialogs: [{ when: "x" }] } }, "tmux.dialogs 1: keys must be a list of texts"],
    [{ tmux: { compact: { text: "x" } } }, "tmux.compact within must be a duration"]
  ] as const) {
    it(`are refused with "${problem}"`, () => {
      expect(problemOf(raw)).toContain(problem)
    })
  }
})
