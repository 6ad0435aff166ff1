/**
 * The HTTP protocol as a value: what can be asked, with what body, and what comes back. The server is driven by it, the command
 * line is a client of it, and the OpenAPI page is printed from it. Workflows are in `workflowApi.ts`, the old ledger's own routes in
 * `ledgerRoutes.ts`.
 */
import { HttpApi, HttpApiEndpoint, HttpApiGroup, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import * as Claim from "../actors/claim/ClaimCommand.js"
import { DrainHub, RecordBackup } from "../actors/hub/HubCommand.js"
import { ImportReport, OpenWork } from "../actors/hub/HubEvent.js"
import { JournalEvent } from "./JournalEvent.js"
import { messages, peers } from "./peersApi.js"
import { configuration, senses } from "./senseApi.js"
import { runs, workflows } from "./workflowApi.js"

/** The body of a refusal: `_tag` names the reason, the other fields are the reason's own. */
export const Failure = Schema.Struct(
  { _tag: Schema.String, message: Schema.String, fix: Schema.optional(Schema.String) },
  { key: Schema.String, value: Schema.Unknown }
).annotations({ identifier: "Failure", description: "Why the command was refused; nothing was appended." })
export type Failure = typeof Failure.Type

const Token = Schema.Int
const Instant = Schema.Int.annotations({ description: "epoch ms of the hub clock" })
const orNull = Schema.NullOr
const id = Schema.Struct({ id: Schema.String })

export const Grant = Schema.Struct({
  id: Schema.String,
  token: Token,
  attempt: Schema.Int,
  ttlMs: orNull(Schema.Int),
  graceMs: Schema.Int,
  expiresAt: orNull(Instant),
  boundTo: orNull(Schema.String),
  now: Instant,
  offset: Schema.Int
}).annotations({ identifier: "Grant" })

export const NextGrant = Schema.Struct({
  ...Grant.fields,
  record: Schema.Unknown,
  score: Schema.Number
}).annotations({ identifier: "NextGrant" })

export const Moved = Schema.Struct({
  id: Schema.String,
  state: Schema.String,
  version: Schema.Int,
  offset: Schema.Int
}).annotations({ identifier: "Moved", description: "Where the claim stands after the command." })

export const Renewal = Schema.Struct({
  token: Token,
  expiresAt: orNull(Instant),
  recorded: Schema.Boolean,
  now: Instant
}).annotations({ identifier: "Renewal" })

export const Archived = Schema.Struct({
  segments: Schema.Array(
    Schema.Struct({
      file: Schema.String,
      fromOffset: Schema.Int,
      toOffset: Schema.Int,
      rows: Schema.Int
    })
  ),
  freedBytes: Schema.Int
}).annotations({ identifier: "Archived" })

/** `2026-11-25`, or with a time. */
const IsoDate = Schema.String.pipe(
  Schema.filter((text) => /^\d{4}-\d{2}-\d{2}(T|$)/.test(text) && !Number.isNaN(Date.parse(text)), {
    message: () => "must be an ISO 8601 date"
  })
)

export const Verified = Schema.Struct({
  token: Token,
  state: Schema.String,
  expiresAt: orNull(Instant),
  now: Instant
}).annotations({ identifier: "Verified" })

export const ClaimRow = Schema.Struct({
  id: Schema.String,
  state: Schema.String,
  record: Schema.Unknown,
  publishedAt: orNull(Schema.Number),
  inflations: Schema.Number,
  intensity: orNull(Schema.Number),
  holder: orNull(
    Schema.Struct({ peer: Schema.String, instance: orNull(Schema.String), boundTo: orNull(Schema.String) })
  ),
  token: orNull(Token),
  grantedAt: orNull(Instant),
  expiresAt: orNull(Instant),
  graceUntil: orNull(Instant),
  offer: orNull(Schema.Struct({ to: Schema.String, until: Instant })),
  attempt: Schema.Int,
  maxAttempts: orNull(Schema.Int),
  notBefore: orNull(Instant),
  outcome: orNull(Schema.String),
  version: Schema.Int,
  offset: Schema.Int
}).annotations({ identifier: "ClaimRow" })
export type ClaimRow = typeof ClaimRow.Type

const Rows = Schema.Struct({
  offset: Schema.Int,
  now: Instant,
  rows: Schema.Array(ClaimRow),
  next: orNull(Schema.String)
})

/** A fold's end: an offset, or an instant as an ISO 8601 date. */
const at = { at: Schema.optional(Schema.String) }
const number = Schema.NumberFromString

export const ClaimQuery = Schema.Struct({
  state: Schema.optional(Schema.String),
  stance: Schema.optional(Schema.String),
  holder: Schema.optional(Schema.String),
  boundTo: Schema.optional(Schema.String),
  prefix: Schema.optional(Schema.String),
  min: Schema.optional(number),
  sort: Schema.optional(Schema.Literal("offset", "intensity")),
  limit: Schema.optional(number.pipe(Schema.int(), Schema.between(1, 1_000))),
  cursor: Schema.optional(Schema.String),
  ...at
})

/** A command's fields are its route's body, but for what only the hub can say of its sender. */
const body = <Fields extends Schema.Struct.Fields & { readonly type: Schema.Schema.Any }>(
  command: Schema.Struct<Fields>
) => {
  const { type: _, holder: __, ...fields } = command.fields as Fields & { readonly holder?: unknown }
  return Schema.Struct(fields as unknown as Omit<Fields, "type" | "holder">)
}

/** Whoever has shown a token need not name itself. */
const taking = { peer: Schema.optional(Claim.PeerName) }

const waitMs = Schema.optional(
  Schema.Int.pipe(
    Schema.between(0, Claim.maxWaitMs, { message: () => `must be an integer from 0 to ${Claim.maxWaitMs}` })
  )
)

const ofClaim = <Name extends string>(name: Name, path: `/${string}`) =>
  HttpApiEndpoint.post(name, `/claims/:id${path}`).setPath(id)

const claims = HttpApiGroup.make("claims")
  .add(
    HttpApiEndpoint.post("deposit", "/claims")
      .setPayload(body(Claim.DepositPheromone))
      .addSuccess(Moved, { status: 201 })
  )
  .add(
    HttpApiEndpoint.post("claimNext", "/claims/next")
      .setPayload(Schema.Struct({ ...body(Claim.ClaimNext).fields, ...taking, waitMs }))
      .addSuccess(NextGrant)
  )
  .add(
    ofClaim("claim", "/claim")
      .setPayload(Schema.Struct({ ...body(Claim.ClaimWork).fields, ...taking }))
      .addSuccess(Grant)
  )
  .add(ofClaim("renew", "/renew").setPayload(body(Claim.RenewClaim)).addSuccess(Renewal))
  .add(ofClaim("verify", "/verify").setPayload(body(Claim.VerifyClaim)).addSuccess(Verified))
  .add(ofClaim("release", "/release").setPayload(body(Claim.ReleaseClaim)).addSuccess(Moved))
  .add(ofClaim("complete", "/complete").setPayload(body(Claim.CompleteClaim)).addSuccess(Moved))
  .add(ofClaim("fail", "/fail").setPayload(body(Claim.FailClaim)).addSuccess(Moved))
  .add(
    ofClaim("reclaim", "/reclaim")
      .setPayload(Schema.Struct({ ...body(Claim.ReclaimWork).fields, ...taking }))
      .addSuccess(Grant)
  )
  .add(ofClaim("offerHandoff", "/handoff/offer").setPayload(body(Claim.OfferHandoff)).addSuccess(Moved))
  .add(
    ofClaim("acceptHandoff", "/handoff/accept")
      .setPayload(Schema.Struct({ ...body(Claim.AcceptHandoff).fields, ...taking }))
      .addSuccess(Grant)
  )
  .add(
    ofClaim("declineHandoff", "/handoff/decline")
      .setPayload(Schema.Struct({ ...body(Claim.DeclineHandoff).fields, ...taking }))
      .addSuccess(Moved)
  )
  .add(
    ofClaim("withdrawHandoff", "/handoff/withdraw").setPayload(body(Claim.WithdrawHandoff)).addSuccess(Moved)
  )
  .add(ofClaim("revoke", "/revoke").setPayload(body(Claim.RevokeClaim)).addSuccess(Moved))
  .add(ofClaim("reopen", "/reopen").setPayload(body(Claim.ReopenClaim)).addSuccess(Moved))
  .add(ofClaim("inflate", "/inflate").setPayload(body(Claim.InflatePheromone)).addSuccess(Moved))
  .add(
    ofClaim("evaporate", "/evaporate")
      .setPayload(Schema.Struct({ reason: Claim.EvaporatePheromone.fields.reason }))
      .addSuccess(Moved)
  )
  .add(HttpApiEndpoint.get("list", "/claims").setUrlParams(ClaimQuery).addSuccess(Rows))
  .add(
    HttpApiEndpoint.get("show", "/claims/:id")
      .setPath(id)
      .setUrlParams(Schema.Struct(at))
      .addSuccess(ClaimRow)
  )
  .annotate(OpenApi.Description, "Marks, and leases on the work that they stand for.")

const ledger = HttpApiGroup.make("ledger")
  .add(
    HttpApiEndpoint.post("sweep", "/ledger/sweep")
      .setPayload(
        Schema.Struct({ floor: Schema.optional(Schema.Number), dryRun: Schema.optional(Schema.Boolean) })
      )
      .addSuccess(Schema.Struct({ kept: Schema.Int, dropped: Schema.Int }))
  )
  .add(
    HttpApiEndpoint.post("importLedger", "/ledger/import")
      .setPayload(
        Schema.Struct({
          path: Schema.String.pipe(
            Schema.startsWith("/", { message: () => "must be an absolute path on the hub's machine" })
          ),
          dryRun: Schema.optional(Schema.Boolean)
        })
      )
      .addSuccess(ImportReport)
      .annotate(
        OpenApi.Description,
        "Imports a ledger of the old server; the same content again changes nothing."
      )
  )

export const JournalQuery = Schema.Struct({
  after: Schema.optional(number.pipe(Schema.int(), Schema.nonNegative())),
  limit: Schema.optional(number.pipe(Schema.int(), Schema.between(1, 1_000))),
  stream: Schema.optional(Schema.NonEmptyString),
  live: Schema.optional(Schema.Literal("true", "false"))
})

const journal = HttpApiGroup.make("journal")
  .add(
    HttpApiEndpoint.get("journal", "/journal")
      .setUrlParams(JournalQuery)
      .addSuccess(Schema.Struct({ head: Schema.Int, next: Schema.Int, events: Schema.Array(JournalEvent) }))
      .annotate(
        OpenApi.Description,
        "A page of events after an offset. With `Accept: text/event-stream` or `live=true` a stream of them that does not end; it resumes after `Last-Event-ID`."
      )
  )
  .add(
    HttpApiEndpoint.post("recordBackup", "/journal/backups")
      .setPayload(body(RecordBackup))
      .addSuccess(Schema.Struct({ offset: Schema.Int }), { status: 201 })
      .annotate(OpenApi.Description, "Records that a backup was taken; the hub writes none itself.")
  )
  .add(
    HttpApiEndpoint.post("archive", "/journal/archive")
      .setPayload(
        Schema.Struct({ before: Schema.optional(IsoDate), vacuum: Schema.optional(Schema.Boolean) })
      )
      .addSuccess(Archived)
      .annotate(OpenApi.Description, "Moves old days into files; they stay part of the journal.")
  )

export const HealthReason = Schema.Struct({
  reason: Schema.String,
  subject: Schema.String,
  status: Schema.String,
  since: Instant,
  offset: orNull(Schema.Int),
  detail: Schema.String
})

export const Health = Schema.Struct({
  offset: Schema.Int,
  at: Instant,
  state: Schema.String,
  bootId: orNull(Schema.String),
  status: Schema.Literal("ok", "degraded", "failing"),
  components: Schema.Array(
    Schema.Struct({ component: Schema.String, status: Schema.String, reasons: Schema.Array(HealthReason) })
  ),
  ledger: Schema.Struct({
    counts: Schema.Record({ key: Schema.String, value: Schema.Int }),
    foreverOverDay: Schema.Int,
    oldestOpenAt: orNull(Schema.Number)
  })
}).annotations({ identifier: "Health" })
export type Health = typeof Health.Type

/** What a hub says of itself (contracts: hub 5). */
export const HubStatus = Schema.Struct({
  state: Schema.String,
  bootId: orNull(Schema.String),
  pid: Schema.Int,
  version: Schema.String,
  url: orNull(Schema.String),
  port: orNull(Schema.Int),
  portSource: orNull(Schema.String),
  socket: orNull(Schema.String),
  workspace: Schema.String,
  journalId: Schema.String,
  startedAt: Instant,
  readyAt: orNull(Instant),
  uptimeMs: Schema.Number,
  offset: Schema.Int,
  safe: Schema.Boolean,
  logLevel: Schema.String,
  boots: Schema.Int,
  lastBoot: orNull(Schema.String),
  drain: orNull(Schema.Struct({ deadlineAt: Instant, cutShort: Schema.Boolean })),
  counts: Schema.Struct({
    claimsHeld: Schema.Int,
    runsRunning: Schema.Int,
    peersLive: Schema.Int,
    followers: Schema.Int
  }),
  /** When a caller last sent a command in this boot. */
  lastCommandAt: orNull(Instant),
  health: Schema.Literal("ok", "degraded", "failing")
}).annotations({ identifier: "HubStatus" })
export type HubStatus = typeof HubStatus.Type

const hub = HttpApiGroup.make("hub")
  .add(HttpApiEndpoint.get("hub", "/hub").addSuccess(HubStatus))
  .add(HttpApiEndpoint.get("health", "/health").setUrlParams(Schema.Struct(at)).addSuccess(Health))
  .add(
    HttpApiEndpoint.post("stop", "/hub/stop")
      .setPayload(body(DrainHub))
      .addSuccess(Schema.Struct({ bootId: Schema.String, deadlineAt: Instant, open: OpenWork }), {
        status: 202
      })
  )
  .add(
    HttpApiEndpoint.post("rebuild", "/projections/:name/rebuild")
      .setPath(Schema.Struct({ name: Schema.String }))
      .addSuccess(
        Schema.Struct({
          name: Schema.String,
          version: Schema.Int,
          offset: Schema.Int,
          rows: Schema.Int,
          digest: orNull(Schema.String),
          liveDigest: orNull(Schema.String)
        })
      )
  )

export const api = HttpApi.make("mound")
  .add(claims)
  .add(ledger)
  .add(journal)
  .add(hub)
  .add(peers)
  .add(messages)
  .add(workflows)
  .add(runs)
  .add(senses)
  .add(configuration)
  .addError(Failure, { status: 400 })
  .addError(Failure, { status: 401 })
  .addError(Failure, { status: 403 })
  .addError(Failure, { status: 404 })
  .addError(Failure, { status: 409 })
  .addError(Failure, { status: 413 })
  .addError(Failure, { status: 429 })
  .addError(Failure, { status: 500 })
  .addError(Failure, { status: 503 })
  .annotate(OpenApi.Title, "Mound")
  .annotate(OpenApi.Version, "1")
