/** A mark as agents publish them, some 200 bytes. */
export const mark = (id: string) => ({
  id,
  stanceTarget: "builder",
  baseIntensity: 3,
  decayRate: 0.0001,
  payload: { path: `packages/core/src/${id}.ts`, note: "the parser drops the last token of a line" }
})
