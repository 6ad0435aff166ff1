/** The results as a table for people and as JSON for programs. */
import { table } from "../src/cli/output.js"
import { type Figure, isReached, ratioOf, type Target } from "./Figure.js"
import { type Machine, machineLine } from "./machine.js"

export interface Result extends Figure {
  readonly scenario: string
}

export interface Results {
  readonly machine: Machine
  /** The sizes were too small to say how fast anything is. */
  readonly quick: boolean
  readonly results: ReadonlyArray<Result>
}

export const toTable = ({ machine, quick, results }: Results): string =>
  [
    machineLine(machine),
    ...(quick ? ["quick sizes: these figures only show that everything runs"] : []),
    "",
    table(
      ["SCENARIO", "WHAT", "MOUND", "BESIDE", "", "RATIO", "TARGET", ""],
      results.map((result, index) => [
        results[index - 1]?.scenario === result.scenario ? "" : result.scenario,
        result.what,
        `${numeral(result.value)} ${result.unit}`,
        result.beside && numeral(result.beside.value),
        result.beside?.what ?? "",
        ratioText(ratioOf(result)),
        result.target && targetText(result.target, result.unit),
        verdict(isReached(result))
      ])
    )
  ].join("\n")

export const toJson = ({ machine, quick, results }: Results): string =>
  JSON.stringify(
    {
      machine,
      quick,
      results: results.map(({ scenario, what, value, unit, beside, target, ...rest }) => {
        const figure = { what, value, unit, ...(beside && { beside }), ...(target && { target }), ...rest }
        return { scenario, ...figure, ratio: ratioOf(figure), reached: isReached(figure) }
      })
    },
    null,
    2
  )

/** Whole numbers where there are many, three digits where there are few. */
const numeral = (value: number): string =>
  value.toLocaleString("en-US", value >= 100 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 3 })

const ratioText = (ratio: number | null): string | null => (ratio === null ? null : `${ratio.toFixed(2)} x`)

const targetText = ({ of, bound, than }: Target, unit: string): string =>
  `${bound === "least" ? ">=" : "<="} ${numeral(than)} ${of === "ratio" ? "x" : unit}`

const verdict = (reached: boolean | null): string => (reached === null ? "" : reached ? "reached" : "missed")
