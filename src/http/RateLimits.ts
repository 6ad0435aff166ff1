/**
 * How often one caller may ask, and how often one address may show a token that nobody has (contracts: hub 5). Only a hub that can be
 * reached from elsewhere has them. What is remembered is bounded: the longest unseen is forgotten first.
 */

export interface RateRules {
  /** Requests that a caller may make on and on, a second. */
  readonly perSecond: number
  /** Requests that it may make at once. */
  readonly burst: number
  /** So many unknown tokens within a minute shut an address out for one. */
  readonly maxFailures: number
}

export const usualRates: RateRules = { perSecond: 200, burst: 400, maxFailures: 10 }

const minuteMs = 60_000
const maxRemembered = 10_000

interface Bucket {
  left: number
  at: number
}

interface Failures {
  count: number
  since: number
}

export class RateLimits {
  readonly #buckets = new Map<string, Bucket>()
  readonly #failures = new Map<string, Failures>()

  constructor(
    readonly rules: RateRules,
    readonly now: () => number
  ) {}

  /** Milliseconds until this caller may ask; 0 when it may now, and then it has. */
  ask(caller: string): number {
    const { perSecond, burst } = this.rules
    const now = this.now()
    const { left, at } = this.#buckets.get(caller) ?? { left: burst, at: now }
    const filled = Math.min(burst, left + ((now - at) * perSecond) / 1_000)
    const isAllowed = filled >= 1
    remember(this.#buckets, caller, { left: isAllowed ? filled - 1 : filled, at: now })
    return isAllowed ? 0 : Math.ceil(((1 - filled) * 1_000) / perSecond)
  }

  /** Milliseconds for which this address is shut out; 0 when it is not. */
  shutOut(address: string): number {
    const failures = this.#failures.get(address)
    if (!failures || failures.count < this.rules.maxFailures) return 0
    return Math.max(0, failures.since + minuteMs - this.now())
  }

  /** An address has shown a token that nobody has. */
  failed(address: string): void {
    const now = this.now()
    const before = this.#failures.get(address)
    const isRecent = before !== undefined && now - before.since < minuteMs
    const count = isRecent ? before.count + 1 : 1
    // The minute that it is shut out for begins with the failure that was too much.
    const since = isRecent && count < this.rules.maxFailures ? before.since : now
    remember(this.#failures, address, { count, since })
  }
}

/** As the newest of a bounded number. */
const remember = <A>(map: Map<string, A>, key: string, value: A): void => {
  map.delete(key)
  map.set(key, value)
  if (map.size <= maxRemembered) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}
