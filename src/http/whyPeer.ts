/** Why a presence is as it is: the events that its state, its last start and its last end rest on (contracts: peers 5). */
import { Effect } from "effect"
import type { Offset } from "../events/Event.js"
import type { Journal, JournalUnavailable } from "../events/Journal.js"
import { listMessages, type StoredActor } from "../projections/registryQueries.js"
import type { Moment } from "./asOf.js"
import type { Why } from "./peersApi.js"
import { detailOf, type Window } from "./registryRows.js"

/** The row of the contract's table 3.3 that a cause stands for. */
const rows: { readonly [cause: string]: string } = {
  renew: "1: a fresh start was asked for by new",
  "eager-fresh": "2: the session asked to begin anew",
  "operator-fresh": "3: it was woken with --fresh",
  attach: "4: it was woken with --resume",
  "soft-reload": "5: refresh was asked for",
  "ephemeral-policy": "6: each message has a session of its own",
  "crash-or-self-close": "7: the last session ended by itself",
  "first-wake": "8: it had never run",
  "idle-reaped-human": "9: people are gone on with",
  "idle-reaped-human-no-resume": "9: people are gone on with, and there was nothing to go on with",
  "idle-reaped-no-resume": "10, 13: nothing could be gone on with",
  "idle-reaped-no-topic": "11: no topic was named",
  "idle-reaped-new-topic": "12: the last session did not know the topic",
  "idle-reaped-resume": "13: the last session knew the topic"
}

const maxQueue = 100

export const whyPeer = (
  journal: Journal["Type"],
  row: StoredActor,
  registry: Moment,
  messages: Moment,
  { deathWindowMs }: Window
): Effect.Effect<Why, JournalUnavailable> =>
  Effect.gen(function* () {
    const detail = detailOf(row)
    const decision = yield* tell(journal, detail.decision)
    const basis = (decision?.data as { readonly basis?: ReadonlyArray<number> } | undefined)?.basis ?? []
    const cause = (decision?.data as { readonly cause?: string } | undefined)?.cause ?? ""
    const waiting = yield* Effect.forEach(["attempted", "queued"], (state) =>
      listMessages(messages.read, { to: row.name, state, limit: maxQueue, after: 0 })
    )
    const told = yield* Effect.forEach(basis, (offset) => tell(journal, offset))
    return {
      identity: row.name,
      state: row.state,
      since: row.since,
      decision: decision && {
        ...decision,
        row: rows[cause] ?? null,
        basis: told.filter((each) => each !== null)
      },
      lastEnd: yield* tell(journal, detail.lastEnd?.offset),
      deaths: (detail.deaths ?? []).filter(({ at }) => at > registry.now - deathWindowMs),
      heldUntil: row.state === "crashLoop" ? (detail.heldUntil ?? null) : null,
      queue: waiting.flat().map((message) => ({
        messageId: message.message_id,
        state: message.state,
        offset: message.accepted_offset,
        at: message.accepted_at
      })),
      nextDeadline: nextDeadline(row),
      offset: registry.offset
    }
  })

const tell = (journal: Journal["Type"], offset: number | undefined) =>
  offset === undefined
    ? Effect.succeed(null)
    : Effect.map(journal.read((offset - 1) as Offset, 1), ([event]) => {
        if (!event) return null
        const { at, stream, type, data } = event
        return { offset, at, stream, type, data: withoutBody(data) }
      })

/** What was said stays between those who said it; `message` shows it. */
const withoutBody = ({ body: _, ...data }: { readonly [key: string]: unknown }) => data

const nextDeadline = (row: StoredActor): Why["nextDeadline"] => {
  const { heldUntil, restartAt, bootMs, idleMs, lastActiveAt } = detailOf(row)
  switch (row.state) {
    case "crashLoop":
      return heldUntil == null ? null : { type: "CrashLoopCleared", at: heldUntil }
    case "restarting":
      return restartAt == null ? null : { type: "RestartFellDue", at: restartAt }
    case "waking.booting":
      return bootMs === undefined ? null : { type: "BootTimedOut", at: row.since + bootMs }
    case "live.waiting":
      return idleMs == null || lastActiveAt === undefined
        ? null
        : { type: "IdlePeriodElapsed", at: lastActiveAt + idleMs }
    default:
      return null
  }
}
