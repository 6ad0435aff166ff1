/** A page of a thread as the text that people read (contracts: senses and workflows 5.1). */
import { type Block, threadBlock } from "../projections/threadBlock.js"
import { gapLine } from "../projections/threadPage.js"

/** The gap, where one is shown, is after the first round. */
export const threadText = (
  rounds: ReadonlyArray<Block>,
  { omitted, before }: { readonly omitted: number; readonly before: number | null },
  hasGap: boolean
): string => {
  const blocks = rounds.map(threadBlock)
  if (hasGap && before !== null) blocks.splice(1, 0, `${gapLine(omitted, before)}\n\n`)
  return blocks.join("")
}
