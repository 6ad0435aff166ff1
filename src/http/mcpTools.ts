/**
 * What an agent can do by the Model Context Protocol: the commands of the other routes under the names that agents know, with the same
 * refusals (contracts: peers 5). Each costs an agent some of its context, so a hub can be told which to offer.
 */
import { Effect, Schema } from "effect"
import { formatIdentity, Personality, parseIdentity, RuntimeName } from "../actors/peer/Identity.js"
import { maxBody, Topic } from "../actors/presence/PresenceCommand.js"
import { RequestRun } from "../actors/workflow/WorkflowCommand.js"
import { Offset } from "../events/Event.js"
import type { Caller } from "./Identities.js"
import { AttachmentPaths, type PeerRow, type PresenceRow, type ServerRow } from "./peersApi.js"
import { type CallFailure, type Credentials, type Handlers, type PlainText, WithStatus } from "./serve.js"

export interface ToolCall {
  /** Somebody with a name. */
  readonly caller: Caller
  readonly credentials: Credentials
  readonly header: (name: string) => string | undefined
}

export interface Tool {
  readonly name: string
  readonly description: string
  readonly arguments: Schema.Schema.AnyNoContext
  readonly call: (handlers: Handlers, call: ToolCall, given: never) => Effect.Effect<ToolAnswer, CallFailure>
}

/** A JSON object; `isError` for what was refused or came to nothing. */
export interface ToolAnswer {
  readonly isError?: boolean
  readonly text?: string
  readonly value: { readonly [key: string]: unknown }
}

/** How long a message's evidence is waited for: old clients expect an answer by then. */
const evidenceMs = 10_000

/** Clients of the protocol give a call up after a minute. */
const maxRunWaitMs = 30_000

const tool = <Fields extends Schema.Struct.Fields>(
  name: string,
  description: string,
  fields: Fields,
  call: (
    handlers: Handlers,
    call: ToolCall,
    given: Schema.Struct<Fields>["Type"]
  ) => Effect.Effect<ToolAnswer, CallFailure>
): Tool => ({ name, description, arguments: Schema.Struct(fields) as never, call: call as Tool["call"] })

/** None of these routes answers with plain text. */
const bodyOf = <A>(answer: A | WithStatus<A> | PlainText): A =>
  (answer instanceof WithStatus ? answer.body : answer) as A
const answered = (value: object): ToolAnswer => ({ value: value as ToolAnswer["value"] })
/** What every route's call holds besides its own. */
const nothing = {} as never
const bare = {
  path: nothing,
  urlParams: nothing,
  payload: nothing,
  commandId: undefined
}

const sendToPeer = tool(
  "send_to_peer",
  "Send a message to another agent. A sleeping one wakes for it.",
  {
    personality: Personality,
    message: Schema.String.pipe(Schema.minLength(1), Schema.maxLength(maxBody)),
    runtime: Schema.optional(RuntimeName),
    topic: Schema.optional(Topic),
    attachments: Schema.optional(AttachmentPaths)
  },
  (handlers, call, { personality, message, runtime, topic, attachments }) =>
    Effect.map(
      handlers.sendMessage({
        ...bare,
        ...call,
        urlParams: { wait: evidenceMs },
        payload: { to: personality, body: message, runtime, topic, attachments }
      }),
      (answer): ToolAnswer => {
        const { messageId, state, to, woke, sentAt, queueDepth, reason } = bodyOf(answer)
        const value = { ok: true, delivered_to: parseIdentity(to), woke, ts: sentAt, messageId, state }
        if (state === "failed" || state === "unconfirmed") {
          const why = reason === undefined ? "" : `: ${reason}`
          const text =
            state === "failed"
              ? `the message ${messageId} was not delivered to ${to}${why}`
              : `the message ${messageId} may have been seen by ${to}: there is no evidence`
          return { isError: true, text, value: { ...value, ok: false } }
        }
        return answered(
          state === "confirmed" ? value : { ...value, queued: true, queuedBy: "hub", queueDepth }
        )
      }
    )
)

const listPeers = tool("list_peers", "Who there is to talk to, and how they are.", {}, (handlers, call) =>
  Effect.gen(function* () {
    const rows: Array<PeerRow | PresenceRow | ServerRow> = []
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const urlParams = { limit: 1_000, ...(cursor !== undefined && { cursor }) }
      const page = bodyOf(yield* handlers.registry({ ...bare, ...call, urlParams }))
      rows.push(...page.rows)
      cursor = page.next
    }
    const statuses = new Map(
      rows.flatMap((row) => (row.kind === "presence" ? [[row.identity, row.status]] : []))
    )
    const peers = rows.flatMap((row) =>
      row.kind === "peer"
        ? [
            {
              personality: row.personality,
              runtime: row.defaultRuntime,
              runtimes: row.runtimes,
              description: row.description,
              intelligence: row.intelligence,
              status:
                statuses.get(formatIdentity({ runtime: row.defaultRuntime, personality: row.personality })) ??
                "asleep"
            }
          ]
        : []
    )
    return answered({ peers })
  })
)

const deposit = tool(
  "deposit",
  "Leave a mark for work that somebody should take.",
  {
    id: Schema.String,
    stanceTarget: Schema.String,
    baseIntensity: Schema.Number,
    decayRate: Schema.optional(Schema.Number),
    payload: Schema.optional(Schema.Unknown)
  },
  (handlers, call, { decayRate = 0, ...record }) =>
    Effect.map(
      handlers.deposit({ ...bare, ...call, payload: { record: { ...record, decayRate } as never } }),
      (answer) => answered(bodyOf(answer))
    )
)

const claimNext = tool(
  "claim_next",
  "Take the strongest open mark. You alone hold it until its lease ends: renew it while you work.",
  {
    stances: Schema.optional(Schema.Array(Schema.String)),
    ttlMs: Schema.optional(Schema.Int.pipe(Schema.between(1_000, 86_400_000)))
  },
  (handlers, call, given) =>
    Effect.map(
      handlers.claimNext({
        ...bare,
        ...call,
        // One who has only named itself by a header holds it by that name.
        payload: { peer: call.caller.name, ...given }
      }),
      (answer) => answered(bodyOf(answer))
    )
)

const held = { id: Schema.String, token: Offset }

const renew = tool("renew", "Keep a claim that you hold.", held, (handlers, call, { id, token }) =>
  Effect.map(handlers.renew({ ...bare, ...call, path: { id }, payload: { token } }), (answer) =>
    answered(bodyOf(answer))
  )
)

const complete = tool(
  "complete",
  "Finish the work of a claim that you hold, for good.",
  { ...held, summary: Schema.optional(Schema.String), result: Schema.optional(Schema.Unknown) },
  (handlers, call, { id, ...payload }) =>
    Effect.map(handlers.complete({ ...bare, ...call, path: { id }, payload }), (answer) =>
      answered(bodyOf(answer))
    )
)

const triggerWorkflow = tool(
  "trigger_workflow",
  "Have a workflow run. Says at once whether the run has begun, waits its turn, or was dropped, and why.",
  {
    workflow: Schema.String,
    prompt: RequestRun.fields.prompt,
    maxRounds: RequestRun.fields.maxRounds,
    dryRun: RequestRun.fields.dryRun
  },
  (handlers, call, { workflow, ...payload }) =>
    Effect.map(handlers.requestRun({ ...bare, ...call, path: { name: workflow }, payload }), (answer) => {
      const fate = bodyOf(answer)
      if (fate.status !== "dropped") return answered(fate)
      const text = `the run ${fate.runId} of ${workflow} was dropped: ${fate.reason ?? "its workflow takes no more"}`
      return { isError: true, text, value: { ...fate } }
    })
)

const runStatus = tool(
  "run_status",
  "How a run of a workflow is. With waitMs the answer comes when it has ended, or after that time.",
  { runId: Schema.String, waitMs: Schema.optional(Schema.Int.pipe(Schema.between(0, maxRunWaitMs))) },
  (handlers, call, { runId, waitMs }) =>
    Effect.map(
      handlers.showRun({
        ...bare,
        ...call,
        path: { id: runId },
        urlParams: waitMs === undefined ? {} : { wait: waitMs }
      }),
      (answer) => answered(bodyOf(answer))
    )
)

export const mcpTools: ReadonlyArray<Tool> = [
  sendToPeer,
  listPeers,
  deposit,
  claimNext,
  renew,
  complete,
  triggerWorkflow,
  runStatus
]
