/**
 * Who may talk to the hub at all, decided before a body is read: no web page of a foreign origin, nobody without the token that a route
 * asks for, nobody more often than a hub can bear that is reached from elsewhere (contracts: hub 5, ledger 3.4 no. 16 and 5.4).
 */
import type { IncomingMessage } from "node:http"
import { bearerOf, covers, type Identities, type Scope, type Shown } from "./Identities.js"
import type { RateLimits } from "./RateLimits.js"
import type { AccessReason } from "./refusals.js"

export interface AccessRules {
  /** Hosts besides this machine's own names. */
  readonly allowedHosts: ReadonlyArray<string>
  readonly allowedOrigins: ReadonlyArray<string>
  readonly identities: Identities
  /** Undefined for a hub that only this machine can reach. */
  readonly limits: RateLimits | undefined
}

/** What a route needs of its caller: `probe` tells strangers nothing, `open` looks at tokens itself. */
export type Need = Scope | "probe" | "open"

/** Why a request is turned away. */
export interface Denied {
  readonly reason: AccessReason
  readonly status: number
  /** A page of an allowed origin may read the answer. */
  readonly isShared: boolean
  /** What was wrong with the token, as the audit log says it; undefined when something else was. */
  readonly auth?: string
}

const ownHosts = new Set(["localhost", "127.0.0.1", "[::1]"])

export const makeAccess = ({ allowedHosts, allowedOrigins, identities, limits }: AccessRules) => {
  const hosts = new Set([...ownHosts, ...allowedHosts.map((host) => host.toLowerCase())])
  const origins = new Set(allowedOrigins)

  const isAllowedHost = (host: string | undefined): boolean =>
    host !== undefined && (hosts.has(host.toLowerCase()) || hosts.has(hostname(host)))

  const isAllowedOrigin = ({ origin, host, "sec-fetch-site": site }: IncomingMessage["headers"]): boolean => {
    if (origin === undefined) return site !== "cross-site"
    return origins.has(origin) || (site !== "cross-site" && origin === `http://${host}`)
  }

  const isOpen = (need: Scope): boolean => need === "read" && !identities.isAskedOfAll

  /** What a caller lacks that has shown this. */
  const lacking = (shown: Shown, need: Scope): Denied | undefined => {
    switch (shown._tag) {
      case "Nothing":
        return isOpen(need) ? undefined : lacksToken(401, "missing_token")
      case "UnknownToken":
        // Reads that are open to all stay open to those whose token was revoked.
        return isOpen(need) ? undefined : lacksToken(identities.hasAgents ? 403 : 401, "unknown_token")
      case "Known":
        if (covers(shown.scope, need)) return undefined
        return { ...notAllowed(need, 403), auth: need === "operator" ? "not_operator" : "read_only" }
    }
  }

  /** Undefined when a request that is no probe may go on. */
  const admit = ({ headers, socket }: IncomingMessage, need: Scope | "open"): Denied | undefined => {
    const bearer = bearerOf(headers)
    const address = socket.remoteAddress ?? ""
    const outFor = limits?.shutOut(address) ?? 0
    if (outFor > 0) return tooMany(outFor)
    if (!identities.isAsked) return limited(limits, address)
    const shown = identities.shown(bearer)
    if (shown._tag === "UnknownToken") limits?.failed(address)
    const denied = need === "open" ? undefined : lacking(shown, need)
    return denied ?? limited(limits, shown._tag === "Known" ? callerKey(shown.caller.name) : address)
  }

  return {
    /** Undefined when the request may go on. What it needs is only asked where tokens are, or limits. */
    check: (request: IncomingMessage, needOf: () => Need): Denied | undefined => {
      if (!isAllowedHost(request.headers.host)) return unreadable("host")
      if (!isAllowedOrigin(request.headers)) return unreadable("origin")
      if (!identities.isAsked && !limits) return undefined
      const need = needOf()
      return need === "probe" ? undefined : admit(request, need)
    },
    /** What the caller lacks by the token alone that it shows; undefined when nothing. */
    lack: ({ headers }: IncomingMessage, need: Need): Denied | undefined =>
      !identities.isAsked || need === "probe" || need === "open"
        ? undefined
        : lacking(identities.shown(bearerOf(headers)), need),
    /** Undefined when the request names one of this hub's hosts. */
    checkHost: ({ headers }: IncomingMessage): Denied | undefined =>
      isAllowedHost(headers.host) ? undefined : unreadable("host"),
    /** Whether the caller has shown a token, or none is asked for. */
    isTrusted: ({ headers }: IncomingMessage): boolean =>
      !identities.isAskedOfAll || identities.shown(bearerOf(headers))._tag === "Known",
    /** Whether the request shows a token that is somebody's, where tokens are asked for. */
    isKnown: ({ headers }: IncomingMessage): boolean =>
      identities.isAsked && identities.shown(bearerOf(headers))._tag === "Known",
    /** The headers with which a browser lets a page of an allowed origin read the answer; undefined for any other. */
    sharing: ({ headers: { origin } }: IncomingMessage): Sharing | undefined =>
      origin !== undefined && origins.has(origin)
        ? { ...sharedHeaders, "Access-Control-Allow-Origin": origin }
        : undefined
  }
}

type Sharing = { readonly [header: string]: string }

const sharedHeaders: Sharing = {
  Vary: "Origin",
  "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
  "Access-Control-Allow-Headers":
    "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, Mound-Journal-Id",
  "Access-Control-Expose-Headers":
    "ETag, Mound-Journal-Id, Mound-Token, Retry-After, Stream-Closed, Stream-Cursor, Stream-Next-Offset, Stream-Up-To-Date",
  "Access-Control-Max-Age": "600"
}

export type Access = ReturnType<typeof makeAccess>

/** No address looks like it. */
const callerKey = (name: string | undefined): string => `caller ${name ?? "operator"}`

const notAllowed = (need: string, status: 401 | 403): Denied => ({
  reason: { _tag: "NotAllowed", need },
  status,
  isShared: true
})

const lacksToken = (status: 401 | 403, auth: string): Denied => ({ ...notAllowed("token", status), auth })

const unreadable = (need: "host" | "origin"): Denied => ({ ...notAllowed(need, 403), isShared: false })

const tooMany = (retryAfterMs: number): Denied => ({
  reason: { _tag: "TooManyRequests", retryAfterMs },
  status: 429,
  isShared: true
})

const limited = (limits: RateLimits | undefined, caller: string): Denied | undefined => {
  const waitMs = limits?.ask(caller) ?? 0
  return waitMs > 0 ? tooMany(waitMs) : undefined
}

/** A `Host` without its port. */
const hostname = (host: string): string => host.toLowerCase().replace(/:\d+$/, "")
