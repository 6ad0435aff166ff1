/**
 * The reflex between offered roles and the ledger (contracts: senses and workflows 3.4): an offer is a mark that anybody may claim, or
 * one peer; who holds it plays the role, and how the claim ends is how the attempt ends. A run that is over takes its offers back.
 */
import { Effect } from "effect"
import { dataOf, idOf, kindOf, type RecordedEvent } from "../../events/Event.js"
import type { JournalUnavailable } from "../../events/Journal.js"
import type { ClaimCommand } from "../claim/ClaimCommand.js"
import type { ClaimKind } from "../claim/claimKind.js"
import { parseIdentity } from "../peer/Identity.js"
import type { Reflex, ReflexCommand } from "../Reflex.js"
import type { Output, RunCommand } from "./RunCommand.js"
import type { RunEventOf } from "./RunEvent.js"
import type { RunKind } from "./runKind.js"

export interface OfferWorld {
  readonly runKind: RunKind
  readonly claimKind: ClaimKind
  /** What a mark tells about its run. */
  readonly runOf: (
    runId: string
  ) => Effect.Effect<
    { readonly workflow: string; readonly role: string; readonly dryRun: boolean },
    JournalUnavailable
  >
  /** The peer that a mark's offer is for; undefined when it is for anybody. */
  readonly peerOf: (claim: string) => Effect.Effect<string | undefined, JournalUnavailable>
  /** The marks of a run's offers. */
  readonly offersOf: (runId: string) => Effect.Effect<ReadonlyArray<string>, JournalUnavailable>
  /** An answer as an event holds it: what is too large is put aside. */
  readonly keep: (
    content: string,
    meta: { readonly [name: string]: unknown }
  ) => Effect.Effect<Output, JournalUnavailable>
}

/** An offer by the id of its mark. */
export interface Offer {
  readonly runId: string
  readonly round: number
  readonly attempt: number
}

export const offerOf = ({ stream }: RecordedEvent): Offer | undefined => {
  if (kindOf(stream) !== "claim") return undefined
  const [, runId, round, attempt] = /^role:([^:]+):(\d+):(\d+)$/.exec(idOf(stream)) ?? []
  return runId === undefined ? undefined : { runId, round: Number(round), attempt: Number(attempt) }
}

/** What a mark tells those who may claim it. Its stance is `@PEER` where one peer is meant. */
export interface OfferPayload {
  readonly runId: string
  readonly workflow: string
  readonly role: string
  readonly dryRun: boolean
  readonly round: number
  readonly ask: string
  readonly leaseMs: number
  readonly thread: string
  readonly peer?: string
  readonly runtime?: string
}

/** The peer itself, or it on one of its runtimes. */
export const isOf = (peer: string, holder: string): boolean =>
  holder === peer || parseIdentity(holder)?.personality === peer

const none: ReadonlyArray<ReflexCommand> = []

export const roleOffers = (world: OfferWorld): Reflex => ({
  name: "roleOffers",
  on: new Set([
    "RoleOffered",
    "RunCompleted",
    "RunFailed",
    "RunCrashed",
    "RunInterrupted",
    "RunKilled",
    "ClaimGranted",
    "ClaimTransferred",
    "ClaimCompleted",
    "ClaimFailed",
    "ClaimExpired"
  ]),
  rule: (event) => {
    const { stream, type } = event
    if (kindOf(stream) === "run") {
      return type === "RoleOffered" ? deposit(world, event) : takeBack(world, idOf(stream))
    }
    const offer = offerOf(event)
    return offer ? follow(world, event, offer) : none
  }
})

export const toRun = (
  { runKind }: Pick<OfferWorld, "runKind">,
  { runId }: Pick<Offer, "runId">,
  command: RunCommand
): ReflexCommand => ({
  kind: runKind,
  id: runId,
  command,
  target: `run/${runId}`
})

const toClaim = ({ claimKind }: OfferWorld, id: string, command: ClaimCommand): ReflexCommand => ({
  kind: claimKind,
  id,
  command,
  target: `claim/${id}:${command.type}`
})

const deposit = (world: OfferWorld, event: RecordedEvent) => {
  const { round, attempt, claim, executor, ask } = dataOf<RunEventOf<"RoleOffered">>(event)
  const runId = idOf(event.stream)
  if (executor.kind === "worker") return none
  const isOpen = executor.kind === "open"
  return Effect.map(world.runOf(runId), (run): ReadonlyArray<ReflexCommand> => {
    const payload: OfferPayload = {
      runId,
      ...run,
      round,
      ask,
      leaseMs: executor.leaseMs,
      thread: `/workflow_runs/${runId}/thread`,
      ...(!isOpen && { peer: executor.peer }),
      ...(!isOpen && executor.runtime !== undefined && { runtime: executor.runtime })
    }
    const command: ClaimCommand = {
      type: "DepositPheromone",
      record: {
        id: claim,
        stanceTarget: isOpen ? executor.stance : `@${executor.peer}`,
        baseIntensity: 1,
        decayRate: 0,
        payload
      },
      ...(executor.maxAttempts !== undefined && { maxAttempts: executor.maxAttempts })
    }
    const onRefused: NonNullable<ReflexCommand["onRefused"]> = (reason) => {
      const error = { message: `the role could not be offered: ${reason._tag}` }
      return toRun(world, { runId }, { type: "RecordRoleError", round, attempt, error, retryable: false })
    }
    return [{ ...toClaim(world, claim, command), onRefused }]
  })
}

/** What happens to the claim happens to the attempt. */
const follow = (
  world: OfferWorld,
  { stream, type, data, state, offset }: RecordedEvent,
  offer: Offer
): ReturnType<Reflex["rule"]> => {
  const { round, attempt } = offer
  const only = (command: RunCommand) => [toRun(world, offer, command)]
  const fail = (message: string) =>
    only({ type: "RecordRoleError", round, attempt, error: { message }, retryable: false })
  switch (type) {
    case "ClaimGranted":
    case "ClaimTransferred": {
      const { peer } = (type === "ClaimGranted" ? data : data.to) as { readonly peer: string }
      const claim = idOf(stream)
      return Effect.map(world.peerOf(claim), (meant) =>
        meant === undefined || isOf(meant, peer)
          ? only({ type: "RecordRoleClaim", claim, peer, grant: offset })
          : [
              toClaim(world, claim, {
                type: "RevokeClaim",
                token: offset,
                reason: `it is the turn of ${meant}`
              })
            ]
      )
    }
    case "ClaimCompleted": {
      const answer = answerOf(data)
      if (!answer)
        return fail(
          "the claim was completed without a content: result { content, meta? }, or a text, or a summary"
        )
      // Refused where it was another peer's turn: the mark is gone, so the attempt is too.
      const onRefused = () => fail("somebody else completed the claim")[0] as ReflexCommand
      return Effect.map(world.keep(answer.content, answer.meta), (output) => [
        { ...toRun(world, offer, { type: "RecordRoleOutput", round, attempt, ...output }), onRefused }
      ])
    }
    case "ClaimFailed":
      return state === "done" ? fail(`the claim failed: ${data.reason}`) : none
    case "ClaimExpired":
      return state === "done" ? fail("nobody completed the claim in the attempts that it had") : none
    default:
      return none
  }
}

/** The result, or a text, else the summary. */
const answerOf = ({ result, summary }: RecordedEvent["data"]) => {
  if (typeof result === "string") return { content: result, meta: {} }
  const { content, meta } = (result ?? {}) as { readonly content?: unknown; readonly meta?: unknown }
  if (typeof content === "string") {
    const isObject = typeof meta === "object" && meta !== null && !Array.isArray(meta)
    return { content, meta: isObject ? (meta as { readonly [name: string]: unknown }) : {} }
  }
  return typeof summary === "string" ? { content: summary, meta: {} } : undefined
}

/** Whoever holds one of its claims loses it, and nobody can claim it any more. */
const takeBack = (world: OfferWorld, runId: string) =>
  Effect.map(world.offersOf(runId), (ids) =>
    ids.flatMap((id) => [
      toClaim(world, id, { type: "RevokeClaim", reason: "its run has ended" }),
      toClaim(world, id, { type: "EvaporatePheromone", reason: "its run has ended" })
    ])
  )
