/** A thing that is measured: one scenario, one file. */
import type { Effect, Scope } from "effect"
import type { Figure } from "./Figure.js"
import type { Rounds } from "./rounds.js"

export interface Scenario {
  /** The word for `--only`. */
  readonly name: string
  /** What it measures, in a line. */
  readonly about: string
  readonly run: (bench: Bench) => Effect.Effect<ReadonlyArray<Figure>, never, Scope.Scope>
}

/** What every scenario is given. */
export interface Bench {
  readonly sizes: Sizes
  /** A workspace with a journal of `journalEvents` events, made when it is first asked for and shared. */
  readonly longWorkspace: Effect.Effect<string>
}

/** How much is done. The quick sizes show that everything runs; only the full ones say how fast. */
export interface Sizes {
  readonly rounds: Rounds
  /** Rounds of what takes many seconds. */
  readonly longRounds: Rounds
  /** How long a round of a rate goes on. */
  readonly roundMs: number
  /** Marks that a round publishes over HTTP and then claims. */
  readonly marks: number
  readonly journalEvents: number
  /** Claims of the long journal that are held, and as many again that are open. */
  readonly unfinished: number
  readonly liveActors: number
  /** Runs of a workflow in a round. */
  readonly runs: number
  /** Signals in a round, each of which starts a run. */
  readonly signals: number
  /** Senses that compute every second, and for how many seconds. */
  readonly ticking: { readonly senses: number; readonly seconds: number }
  /** Runs that are at work when their hub is killed, and runs that wait in a queue. */
  readonly openRuns: number
  readonly queuedRuns: number
  readonly followers: number
  /** Events that every follower gets in a round. */
  readonly followed: number
  /** Marks of an old ledger that moves in. */
  readonly imported: number
  /** Pairs of peers that talk, and messages in each of their rounds. */
  readonly pairs: number
  readonly messages: number
  /** Peers that are registered at once, and those of them that have a session. */
  readonly peers: number
  readonly sessions: number
  /** How many read a stream at once, one after the other. A hub takes 512 followers. */
  readonly streamReaders: ReadonlyArray<number>
  readonly streamMessages: number
  /** Events that a reader catches up with. */
  readonly caughtUp: number
}

export const fullSizes: Sizes = {
  rounds: { warmUps: 2, counted: 5 },
  longRounds: { warmUps: 1, counted: 2 },
  roundMs: 500,
  marks: 2_000,
  journalEvents: 1_000_000,
  unfinished: 10_000,
  liveActors: 10_000,
  runs: 1_000,
  signals: 50,
  ticking: { senses: 200, seconds: 10 },
  openRuns: 1_000,
  queuedRuns: 10_000,
  followers: 100,
  followed: 4_000,
  imported: 200_000,
  pairs: 16,
  messages: 200,
  peers: 10_000,
  sessions: 100,
  streamReaders: [1, 100, 500],
  streamMessages: 200,
  caughtUp: 10_000
}

export const quickSizes: Sizes = {
  rounds: { warmUps: 0, counted: 1 },
  longRounds: { warmUps: 0, counted: 1 },
  roundMs: 30,
  marks: 64,
  journalEvents: 2_000,
  unfinished: 20,
  liveActors: 100,
  runs: 16,
  signals: 3,
  ticking: { senses: 4, seconds: 1 },
  openRuns: 20,
  queuedRuns: 50,
  followers: 10,
  followed: 64,
  imported: 500,
  pairs: 2,
  messages: 5,
  peers: 50,
  sessions: 3,
  streamReaders: [1, 4],
  streamMessages: 10,
  caughtUp: 100
}
