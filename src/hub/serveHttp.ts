/** The HTTP server of a hub, with everything that its routes stand on. */
import { Effect } from "effect"
import { makeAccess } from "../http/Access.js"
import { api } from "../http/api.js"
import { makeClaimHandlers } from "../http/claimHandlers.js"
import { type HttpServer, makeHttpServer } from "../http/HttpServer.js"
import { makeHubHandlers } from "../http/hubHandlers.js"
import { makeLedgerRoutes } from "../http/ledgerRoutes.js"
import { makeMcpRoute } from "../http/mcp.js"
import { makeMessageHandlers } from "../http/messageHandlers.js"
import { makePeerHandlers } from "../http/peerHandlers.js"
import { makePresenceHandlers } from "../http/presenceHandlers.js"
import { makeApiServer } from "../http/serve.js"
import { ulid } from "../runtimes/ulid.js"
import { version } from "../version.js"
import type { HubParts } from "./HubParts.js"

export const makeHubServer = (parts: HubParts, token: string | undefined): Effect.Effect<HttpServer> => {
  const { settings, system, journal, projector, clock, claimKind, hubKind, hub, sweeper, onDefect } = parts
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
    sessionOf: (token: string) => parts.sessions.requested(token, now()),
    hubToken: token,
    // Whoever must show the hub's token is not believed for a header.
    acceptsHeader: settings["peers.identity_header"] === "loopback" && token === undefined
  }
  const handlers = {
    ...makeClaimHandlers({ system, kind: claimKind, journal, projector, now }),
    ...makeHubHandlers({
      system,
      journal,
      projector,
      now,
      claimKind,
      hubKind,
      hub,
      sweep: ({ floor, dryRun }) => sweeper.run({ floor, isDryRun: dryRun }),
      rebuild: parts.rebuild
    }),
    ...makePeerHandlers(peerServices),
    ...makePresenceHandlers(peerServices),
    ...makeMessageHandlers({
      ...peerServices,
      post: parts.postman.send,
      keep: parts.attachments.keep,
      mintId: Effect.suspend(() => ulid(now()))
    })
  }
  const index = claimKind.index
  return makeHttpServer({
    access: makeAccess({
      allowedHosts: settings["http.allowed_hosts"],
      allowedOrigins: settings["http.allowed_origins"],
      token,
      isSession: (given) => parts.sessions.withToken(given) !== undefined
    }),
    api: makeApiServer(api, handlers, { maxBodyBytes: settings["http.max_body"], onDefect }),
    ledger: makeLedgerRoutes({
      system,
      kind: claimKind,
      projector,
      now,
      maxBodyBytes: Math.min(settings["ledger.max_body_bytes"], settings["http.max_body"]),
      preclaim: settings["ledger.preclaim"],
      listClaimed: settings["ledger.list_claimed"],
      ttlMs: settings["ledger.compat_ttl"] ?? null,
      onDefect
    }),
    mcp: makeMcpRoute({
      callers: peerServices,
      handlers,
      version,
      offered: settings["mcp.tools"],
      maxBodyBytes: settings["http.max_body"],
      onDefect
    }),
    journal,
    hub,
    isWritable: () => system.outage() === undefined,
    marks: () => ({
      listed: index.listed,
      claimed: index.count("held.active", "held.grace", "held.offered", "done")
    })
  })
}
