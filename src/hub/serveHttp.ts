/** The HTTP server of a hub, with everything that its routes stand on. */
import { Effect } from "effect"
import { Refused } from "../actors/Refused.js"
import { kindOf, type RecordedEvent } from "../events/Event.js"
import { JournalUnavailable } from "../events/Journal.js"
import { makeAccess } from "../http/Access.js"
import { api } from "../http/api.js"
import { makeBlobRoutes } from "../http/blobRoutes.js"
import { makeClaimHandlers } from "../http/claimHandlers.js"
import { refuseServers, refuseStreams } from "../http/disabled.js"
import { type HttpLimits, type HttpServer, type HttpServices, makeHttpServer } from "../http/HttpServer.js"
import { makeHubHandlers } from "../http/hubHandlers.js"
import { LedgerDoor } from "../http/LedgerDoor.js"
import { makeLedgerRoutes } from "../http/ledgerRoutes.js"
import { makeMcpRoute } from "../http/mcp.js"
import { makeMessageHandlers } from "../http/messageHandlers.js"
import { observeRequests } from "../http/observeRequests.js"
import { makePeerHandlers } from "../http/peerHandlers.js"
import { makePresenceHandlers } from "../http/presenceHandlers.js"
import { type RateRules, usualRates } from "../http/RateLimits.js"
import { refusal } from "../http/refusals.js"
import { makeRunHandlers } from "../http/runHandlers.js"
import { makeSenseHandlers } from "../http/senseHandlers.js"
import { makeApiServer } from "../http/serve.js"
import { makeServerRoutes } from "../http/serverRoutes.js"
import { makeSessionHandlers } from "../http/sessionHandlers.js"
import { makeSessionRoutes } from "../http/sessionRoutes.js"
import { makeStreamRoutes } from "../http/streamRoutes.js"
import { histories } from "../replay/installed.js"
import { toOutput } from "../runtimes/recordable.js"
import { ulid } from "../runtimes/ulid.js"
import { version } from "../version.js"
import { markRulesOf, rateLimitsOf } from "./access.js"
import { archiveAfterMs } from "./archiveJournal.js"
import type { HubParts } from "./HubParts.js"

/** The most that a command's body may hold, but for a deposit with its payload (contracts: hub 5). */
const maxCommandBytes = 1024 * 1024

export const makeHubServer = (
  parts: HubParts,
  {
    limits,
    rates = usualRates,
    isLasting = true
  }: { readonly limits?: HttpLimits; readonly rates?: RateRules; readonly isLasting?: boolean } = {}
): Effect.Effect<HttpServer> => {
  const {
    settings,
    system,
    journal,
    projector,
    clock,
    claimKind,
    hubKind,
    hub,
    sweeper,
    onDefect,
    identities
  } = parts
  const now = clock.now
  const peerServices = {
    system,
    journal,
    projector,
    now,
    peerKind: parts.peerKind,
    presenceKind: parts.presenceKind,
    peers: parts.peerKind.index,
    presences: parts.presenceKind.index,
    deathWindowMs: settings["peers.crash_loop.window"],
    sessionActions: parts.sessionActions,
    identities,
    // Whoever must show a token is not believed for a header.
    acceptsHeader: settings["peers.identity_header"] === "loopback" && !identities.isAsked
  }
  const marks = markRulesOf(parts)
  const handlers = {
    ...makeClaimHandlers({ system, kind: claimKind, journal, projector, now, marks }),
    ...makeSenseHandlers({
      system,
      journal,
      projector,
      now,
      kind: parts.senseKind,
      reload: parts.senses.world.groups.reload,
      config: () => parts.configuration.current().config,
      reloadConfig: (by) =>
        Effect.mapError(
          parts.configuration.reload(by),
          ({ errors }) => new Refused({ reason: { _tag: "ConfigRejected", errors } as const })
        )
    }),
    ...makeHubHandlers({
      system,
      journal,
      projector,
      now,
      claimKind,
      runKind: parts.runKind,
      hubKind,
      hub,
      presences: parts.presenceKind.index,
      workspace: settings.workspace,
      logLevel: settings["log.level"],
      logOutage: parts.log.outage,
      auditOutage: parts.audit.outage,
      sweepOutage: sweeper.outage,
      stillWritten: parts.importer.stillWritten,
      importLedger: (path, isDryRun, by) =>
        Effect.catchTag(parts.importer.run({ path, isDryRun, by }), "LedgerUnreadable", ({ path, problem }) =>
          refusal({ _tag: "LedgerUnreadable", path, problem })
        ),
      followers: () => parts.followers.count,
      sweep: ({ floor, dryRun, by }) => sweeper.run({ floor, isDryRun: dryRun, by }),
      archive: ({ before = now() - (settings["journal.archive_after"] ?? archiveAfterMs), vacuum, by }) =>
        parts.archive.run({ before, vacuum }, by),
      rebuild: parts.rebuild
    }),
    ...makePeerHandlers(peerServices),
    ...makePresenceHandlers(peerServices),
    ...makeSessionHandlers(peerServices),
    ...makeMessageHandlers({
      ...peerServices,
      post: parts.postman.send,
      keep: parts.attachments.keep,
      toldSenders: parts.toldSenders,
      mintId: Effect.suspend(() => ulid(now()))
    }),
    ...makeRunHandlers({
      system,
      journal,
      projector,
      now,
      workflowKind: parts.workflowKind,
      runKind: parts.runKind,
      blobs: parts.blobs,
      reload: (workflow, by) => parts.runs.reload(workflow, "operator", by),
      keepOutput: (content, meta) =>
        Effect.mapError(
          toOutput(parts.blobs, content, meta),
          ({ problem }) => new JournalUnavailable({ reason: "io", detail: problem })
        )
    })
  }
  const index = claimKind.index
  const maxDepositBytes = Math.min(settings["ledger.max_body_bytes"], settings["http.max_body"])
  const services = {
    access: makeAccess({
      allowedHosts: settings["http.allowed_hosts"],
      allowedOrigins: settings["http.allowed_origins"],
      identities,
      limits: rateLimitsOf(parts, rates)
    }),
    operatorToken: identities.operatorToken,
    looksAtTokens: marks !== undefined,
    api: makeApiServer(api, handlers, {
      identities,
      maxBodyBytes: Math.min(maxCommandBytes, settings["http.max_body"]),
      maxDepositBytes,
      onDefect
    }),
    ledger: makeLedgerRoutes({
      system,
      kind: claimKind,
      projector,
      now,
      maxBodyBytes: maxDepositBytes,
      preclaim: settings["ledger.preclaim"],
      listClaimed: settings["ledger.list_claimed"],
      ttlMs: settings["ledger.compat_ttl"] ?? null,
      door: marks && new LedgerDoor({ identities, marks, audit: parts.audit.note }),
      audit: parts.audit.note,
      onDefect
    }),
    mcp: makeMcpRoute({
      callers: peerServices,
      handlers,
      version,
      offered: settings["mcp.tools"],
      maxBodyBytes: maxDepositBytes,
      onDefect
    }),
    blobs: makeBlobRoutes(parts.blobs, settings["http.max_body"]),
    streams: makeStreamSide(parts),
    followers: parts.followers,
    metrics: parts.metrics,
    journal,
    hub,
    observe: observeRequests(parts.metrics.answered, parts.tracing),
    onDefect,
    isLasting,
    audit: parts.audit.note,
    isWritable: () => system.outage() === undefined,
    marks: () => ({
      listed: index.listed,
      claimed: index.count("held.active", "held.grace", "held.offered", "done")
    })
  }
  return makeHttpServer(services, limits)
}

/** Streams and servers, or what their routes say while they are switched off. */
const makeStreamSide = (parts: HubParts): HttpServices["streams"] => {
  const { settings, journal, system, projector, clock, serverKind, followers, onDefect } = parts
  if (!settings["streams.enabled"]) {
    return (request, response, { path }) => {
      if (/^\/servers(\/|$)/.test(path)) return Effect.sync(() => refuseServers(request, response))
      const isStream = path === "/stream/events" || path.startsWith("/v1/stream/")
      return isStream ? Effect.sync(() => refuseStreams(request, response)) : undefined
    }
  }
  const restores = () => parts.hub().context.restores
  const streams = {
    journal,
    followers,
    restores,
    kinds: new Set(histories.keys()),
    isLast: ({ stream, state }: RecordedEvent) =>
      histories.get(kindOf(stream))?.finalStates?.has(state) === true,
    longPollMs: settings["streams.long_poll"],
    commentMs: settings["streams.comment"],
    heartbeatMs: settings["streams.heartbeat"],
    onDefect
  }
  const byName = makeStreamRoutes(streams)
  const bySession = makeSessionRoutes(streams)
  const servers = makeServerRoutes({
    system,
    kind: serverKind,
    projector,
    journal,
    restores,
    identities: parts.identities,
    now: clock.now,
    ttlMs: settings["servers.ttl"],
    maxBodyBytes: settings["http.max_body"],
    onDefect
  })
  return (request, response, target) =>
    byName(request, response, target) ??
    bySession(request, response, target) ??
    servers(request, response, target)
}
