/** What user code hands over, as it will be recorded: a value is what survives JSON (contracts: senses and workflows 2.3). */

/** The value and how many bytes its JSON has, or what is wrong with it. `undefined` counts as null. */
export const jsonValue = (
  given: unknown,
  maxBytes: number
): { readonly value: unknown; readonly bytes: number } | { readonly problem: string } => {
  if (given === undefined || given === null) return { value: null, bytes: 4 }
  if (typeof given === "number" && !Number.isFinite(given)) return { problem: `${given} is no JSON value` }
  try {
    const json: string | undefined = JSON.stringify(given)
    if (json === undefined) return { problem: `a ${typeof given} is no JSON value` }
    const bytes = Buffer.byteLength(json)
    if (bytes > maxBytes) return { problem: `it has ${bytes} bytes of JSON, the limit is ${maxBytes}` }
    return { value: JSON.parse(json), bytes }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}
