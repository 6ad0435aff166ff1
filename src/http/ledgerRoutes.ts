/**
 * The routes of the old ledger, to the byte (contracts: ledger 5.1 to 5.3). Its clients know bare words, not JSON; and they are the
 * hot path, so a request goes from Node's object to one command and back with no layer between.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { Cause, Effect, Option } from "effect"
import type { ActorSystem } from "../actors/ActorSystem.js"
import type { MarkRecord } from "../actors/claim/ClaimEvent.js"
import type { ClaimKind } from "../actors/claim/claimKind.js"
import { decodeMark, isValidId } from "../actors/claim/decodeMark.js"
import type { Refused } from "../actors/Refused.js"
import { ioTurn } from "../events/ioTurn.js"
import type { JournalUnavailable } from "../events/Journal.js"
import { listMarks } from "../projections/claimQueries.js"
import type { Projector } from "../projections/Projector.js"
import { type BodyTooLarge, readBody } from "./Body.js"
import { anybody, type Caller, commandIdFor } from "./Identities.js"
import { parseJson } from "./json.js"
import type { LedgerDoor, OldRoute, Turned } from "./LedgerDoor.js"
import type { Audit } from "./MarkRules.js"
import { type AnyReason, statusOf } from "./refusals.js"
import { discardBody, sendText } from "./respond.js"
import { shownText } from "./shownMark.js"
import { writeOut } from "./writeOut.js"

export interface LedgerServices {
  readonly system: ActorSystem["Type"]
  readonly kind: ClaimKind
  readonly projector: Projector["Type"]
  readonly now: () => number
  readonly maxBodyBytes: number
  /** A claim on an id that has no mark succeeds, as it did on the old server. */
  readonly preclaim: boolean
  /** The list shows marks that are held or done too. */
  readonly listClaimed: boolean
  /** Lease of a claim that comes through these routes; null is for ever. */
  readonly ttlMs: number | null
  /** Set where agents are known by their tokens. */
  readonly door: LedgerDoor | undefined
  /** Notes in the audit log what no journal knows. */
  readonly audit: Audit
  readonly onDefect: (error: unknown) => void
}

type Answering = Effect.Effect<void, Refused<AnyReason> | JournalUnavailable | BodyTooLarge>

/** Whoever the old protocol does not name. */
const by = "anonymous"
const invalidId = "invalid id"
/** Marks that one slice of the list holds: others are served between two of them. */
const sliceSize = 500

/** The work of answering a request of the old protocol, or undefined when it is none. */
export const makeLedgerRoutes = (services: LedgerServices) => {
  const { system, kind, door } = services
  const { stances } = kind.rules

  /** Checked here too: an unknown stance is told of before a token that is missing (contracts: ledger 5.4). */
  const isKnownStance = ({ stanceTarget }: MarkRecord): boolean =>
    stances?.has(String(stanceTarget)) !== false

  const enter = (request: IncomingMessage, route: OldRoute, id: string): Caller | Turned =>
    door?.enter(request, route, id) ?? anybody

  const publish = (request: IncomingMessage, response: ServerResponse): Answering =>
    Effect.flatMap(readBody(request, services.maxBodyBytes), (bytes) => {
      const json = parseJson(bytes)
      const mark = json ? decodeMark(json.value) : "invalid json"
      if (typeof mark === "string") {
        const id = (json?.value as { readonly id?: unknown } | null | undefined)?.id
        return Effect.sync(() => {
          services.audit("publish_error", { id, err: mark })
          sendText(response, 400, mark)
        })
      }
      if (!isKnownStance(mark)) {
        const { id, stanceTarget } = mark
        return Effect.sync(() => {
          services.audit("stance_unknown", { id, stanceTarget })
          sendText(response, 400, "stance_unknown")
        })
      }
      const caller = enter(request, "publish", String(mark.id))
      if ("word" in caller) return turnAway(response, caller)
      const admitted = door?.admit(mark, caller) ?? { mark }
      if ("word" in admitted) return turnAway(response, admitted)
      const options = { by: caller.name ?? by, commandId: commandIdFor(caller, commandIdOf(request)) }
      return Effect.map(
        system.send(kind, String(mark.id), { type: "DepositPheromone", record: admitted.mark }, options),
        () => sendText(response, 201, "ok")
      )
    })

  const claim = (request: IncomingMessage, response: ServerResponse, id: string): Answering => {
    const { preclaim, ttlMs } = services
    // A preclaim begins a stream, so its id must be one that a mark may have.
    if (preclaim && !isValidId(id)) return Effect.sync(() => sendText(response, 400, invalidId))
    const caller = enter(request, "claim", id)
    if ("word" in caller) return turnAway(response, caller)
    const peer = caller.name ?? by
    const options = { by: peer, commandId: commandIdFor(caller, commandIdOf(request)) }
    return Effect.map(
      system.send(kind, id, { type: "ClaimWork", peer, ttlMs, preclaim }, options),
      ({ events }) => sendText(response, 200, "ok", { "Mound-Token": events[0]?.offset ?? "" })
    )
  }

  const inflate = (request: IncomingMessage, response: ServerResponse, id: string): Answering => {
    const caller = enter(request, "inflate", id)
    if ("word" in caller) return turnAway(response, caller)
    const turned = door?.inflate(id, caller)
    if (turned) return turnAway(response, turned)
    const options = { by: caller.name ?? by, commandId: commandIdFor(caller, commandIdOf(request)) }
    return Effect.map(system.send(kind, id, { type: "InflatePheromone" }, options), () =>
      sendText(response, 200, "ok")
    )
  }

  /** Every mark as of one instant, in slices, so that a long list holds up nobody. */
  const list = (response: ServerResponse): Answering =>
    Effect.gen(function* () {
      const now = services.now()
      const options = { openOnly: !services.listClaimed, limit: sliceSize }
      let after = 0
      let count = 0
      let opening = "["
      for (;;) {
        const marks = yield* listMarks(services.projector.read, after, options)
        if (!response.headersSent) response.writeHead(200, { "Content-Type": "application/json" })
        const slice = marks.map(({ record, base, decay, published_at, inflations }) =>
          shownText(
            {
              record: record ?? "{}",
              base: base ?? 0,
              decay: decay ?? 0,
              publishedAt: published_at ?? 0,
              inflations
            },
            now
          )
        )
        const last = marks.at(-1)
        const text = last ? opening + slice.join(",") : opening === "[" ? "[" : ""
        if (!(yield* writeOut(response, text))) return void response.destroy()
        count += marks.length
        if (!last || marks.length < sliceSize) break
        after = last.first_offset ?? 0
        opening = ","
        yield* ioTurn
      }
      response.end("]")
      services.audit("get_pheromones", { count })
    })

  const answering = (
    request: IncomingMessage,
    response: ServerResponse,
    path: string
  ): Answering | undefined => {
    if (path === "/pheromones") {
      if (request.method === "POST") return publish(request, response)
      return request.method === "GET" ? list(response) : undefined
    }
    const match = /^\/pheromones\/([^/]+)\/(claim|inflate)$/.exec(path)
    if (!match || request.method !== "POST") return undefined
    const id = decodeId(match[1] as string)
    if (id === undefined) return Effect.sync(() => sendText(response, 400, invalidId))
    return match[2] === "claim" ? claim(request, response, id) : inflate(request, response, id)
  }

  return (
    request: IncomingMessage,
    response: ServerResponse,
    path: string
  ): Effect.Effect<void> | undefined => {
    const answer = answering(request, response, path)
    return (
      answer &&
      Effect.catchAllCause(answer, (cause) =>
        Effect.sync(() => {
          if (Cause.isInterruptedOnly(cause)) return
          if (response.headersSent) return void response.destroy()
          discardBody(request, response)
          const [status, word] = wordOf(cause, services.onDefect)
          sendText(response, status, word)
        })
      )
    )
  }
}

const turnAway = (response: ServerResponse, { status, word, retryAfter }: Turned): Answering =>
  Effect.sync(() => {
    const retry = retryAfter === undefined ? {} : { "Retry-After": retryAfter }
    sendText(response, status, word, status === 401 ? { "WWW-Authenticate": "Bearer" } : retry)
  })

/** A command id of the old protocol's clients is what they send; they know no refusal for a malformed one. */
const commandIdOf = ({ headers }: IncomingMessage): string | undefined => {
  const key = headers["idempotency-key"]
  return typeof key === "string" && key !== "" ? key : undefined
}

/** Decoded exactly once; undefined for a broken escape or bytes that are no UTF-8. */
const decodeId = (segment: string): string | undefined => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

const words: { readonly [tag: string]: string } = {
  AlreadyClaimed: "claimed",
  AlreadyDone: "claimed",
  UnknownClaim: "missing",
  StanceUnknown: "stance_unknown",
  NotAllowed: "forbidden",
  SlowDown: "slow down",
  Recovering: "recovering",
  Draining: "draining",
  ReadOnly: "read-only",
  OutcomeUnknown: "outcome unknown"
}

const wordOf = (
  cause: Cause.Cause<unknown>,
  onDefect: (error: unknown) => void
): readonly [number, string] => {
  const failure = Option.getOrUndefined(Cause.failureOption(cause)) as
    | Refused<AnyReason>
    | JournalUnavailable
    | BodyTooLarge
    | undefined
  switch (failure?._tag) {
    case "Refused": {
      const { reason } = failure
      return [statusOf(reason), words[reason._tag] ?? reason._tag]
    }
    case "JournalUnavailable":
      return [503, "read-only"]
    case "BodyTooLarge":
      return [413, "too large"]
    default:
      onDefect(Cause.squash(cause))
      return [500, "defect"]
  }
}
