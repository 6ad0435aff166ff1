import { describe, expect, it } from "@effect/vitest"
import { parseDirective } from "../../../src/actors/sense/directive.js"
import { routeAnswer } from "../../../src/actors/sense/routeAnswer.js"

describe("parseDirective", () => {
  it.each([
    ["cleanup|10|Disk a|b full", { workflow: "cleanup", maxRounds: 10, prompt: "Disk a|b full" }],
    [" cleanup | 10 | x ", { workflow: "cleanup", maxRounds: 10, prompt: " x " }],
    ["cleanup|5000|x", { workflow: "cleanup", maxRounds: 1_000, prompt: "x" }],
    ["cleanup|1|two\nlines|", { workflow: "cleanup", maxRounds: 1, prompt: "two\nlines|" }],
    ["cleanup", { fault: "bad_form" }],
    ["cleanup|1", { fault: "bad_form" }],
    ["Cleanup|1|x", { fault: "bad_name" }],
    ["|1|x", { fault: "bad_name" }],
    ["cleanup|0|x", { fault: "bad_rounds" }],
    ["cleanup|ten|x", { fault: "bad_rounds" }],
    ["cleanup|010|x", { fault: "bad_rounds" }],
    ["cleanup||x", { fault: "bad_rounds" }],
    ["cleanup|1000000|x", { fault: "bad_rounds" }],
    ["cleanup|5|", { fault: "empty_prompt" }],
    ["cleanup|5| \n", { fault: "empty_prompt" }],
    [`cleanup|5|${"x".repeat(65_537)}`, { fault: "too_long" }]
  ])("reads %j", (text, expected) => {
    expect(parseDirective(text)).toEqual(expected)
  })
})

describe("routeAnswer", () => {
  const launch = { outcome: "launch", workflow: "cleanup", maxRounds: 3, prompt: "go" }
  it.each([
    [null, { outcome: "silent" }],
    [undefined, { outcome: "silent" }],
    [0, { outcome: "signal", payload: 0 }],
    ["", { outcome: "signal", payload: "" }],
    [false, { outcome: "signal", payload: false }],
    [[{ workflow: "x" }], { outcome: "signal", payload: [{ workflow: "x" }] }],
    [{ a: 1 }, { outcome: "signal", payload: { a: 1 } }],
    [
      { a: 1, workflow: null },
      { outcome: "signal", payload: { a: 1 } }
    ],
    [
      { a: 1, workflow: "" },
      { outcome: "signal", payload: { a: 1 } }
    ],
    [{ workflow: "cleanup|3|go" }, launch],
    [
      { workflow: "cleanup|3|go", path: "/x" },
      { ...launch, evidence: { path: "/x" } }
    ],
    [
      { a: 1, workflow: "nonsense" },
      { outcome: "signal", payload: { a: 1 }, rejected: { text: "nonsense", reason: "bad_form" } }
    ],
    [
      { a: 1, workflow: 5 },
      { outcome: "signal", payload: { a: 1 }, rejected: { text: "5", reason: "bad_type" } }
    ]
  ])("takes %j for what it means", (answer, expected) => {
    expect(routeAnswer(answer)).toEqual(expected)
  })

  it("keeps 500 characters of a directive that it rejects", () => {
    const routed = routeAnswer({ workflow: "x".repeat(1_000) })
    expect(routed).toMatchObject({ rejected: { text: "x".repeat(500) } })
  })

  it("is not fooled by a key that the answer only inherits", () => {
    expect(routeAnswer(Object.create({ workflow: "cleanup|3|go" }))).toMatchObject({ outcome: "signal" })
  })
})
