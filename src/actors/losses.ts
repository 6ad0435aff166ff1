/**
 * When a process that keeps dying is given up, and how long it is waited for: counted from the times of recorded losses, so that it
 * survives a restart (contracts: senses and workflows 3.1, 3.2, 3.5).
 */

/** So many losses within the window open a circuit. */
export const lossLimit = 5
export const lossWindowMs = 60_000
/** How long a circuit stays open before one more attempt. */
export const circuitOpenMs = 300_000

const firstDelayMs = 500
const maxDelayMs = 10_000

/** The times of losses with a new one added and those before the window, which is inclusive, left out. */
export const addLoss = (losses: ReadonlyArray<number>, at: number): ReadonlyArray<number> => [
  ...losses.filter((before) => at - before <= lossWindowMs),
  at
]

export const opensCircuit = (losses: ReadonlyArray<number>): boolean => losses.length >= lossLimit

/** How long to wait after the nth loss in a row before the next process is started. */
export const respawnDelayMs = (losses: number): number =>
  Math.min(firstDelayMs * 2 ** Math.max(0, losses - 1), maxDelayMs)
