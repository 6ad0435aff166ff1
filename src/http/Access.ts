/**
 * Who may talk to the hub at all, decided before a body is read: no web page of a foreign origin, nobody off this machine without
 * the token (contracts: hub 5, ledger 3.4 no. 16).
 */
import { createHash, timingSafeEqual } from "node:crypto"
import type { IncomingMessage } from "node:http"

export interface AccessRules {
  /** Hosts besides this machine's own names. */
  readonly allowedHosts: ReadonlyArray<string>
  readonly allowedOrigins: ReadonlyArray<string>
  /** Asked of every caller when set. */
  readonly token: string | undefined
  /** Whether a token is that of a session that runs now: what a session asks it may ask. */
  readonly isSession: (token: string) => boolean
}

/** The token that a request shows, if it shows one. */
export const bearerOf = ({ authorization }: IncomingMessage["headers"]): string | undefined =>
  /^Bearer (.+)$/i.exec(authorization ?? "")?.[1]

/** Why a request is turned away. */
export type Denied = "host" | "origin" | "token"

const ownHosts = new Set(["localhost", "127.0.0.1", "[::1]"])

export const makeAccess = ({ allowedHosts, allowedOrigins, token, isSession }: AccessRules) => {
  const hosts = new Set([...ownHosts, ...allowedHosts.map((host) => host.toLowerCase())])
  const origins = new Set(allowedOrigins)
  const expected = token === undefined ? undefined : digest(token)

  const isAllowedHost = (host: string | undefined): boolean =>
    host !== undefined && (hosts.has(host.toLowerCase()) || hosts.has(hostname(host)))

  const isAllowedOrigin = ({ origin, host, "sec-fetch-site": site }: IncomingMessage["headers"]): boolean => {
    if (origin === undefined) return site !== "cross-site"
    return origins.has(origin) || (site !== "cross-site" && origin === `http://${host}`)
  }

  const hasToken = ({ authorization }: IncomingMessage["headers"]): boolean => {
    const given = bearerOf({ authorization })
    if (expected === undefined) return true
    return given !== undefined && (timingSafeEqual(digest(given), expected) || isSession(given))
  }

  return {
    /** Undefined when the request may go on. `isProbe` routes tell strangers nothing and ask for no token. */
    check: ({ headers }: IncomingMessage, isProbe: boolean): Denied | undefined => {
      if (!isAllowedHost(headers.host)) return "host"
      if (!isAllowedOrigin(headers)) return "origin"
      return isProbe || hasToken(headers) ? undefined : "token"
    },
    /** Whether the caller has shown the token, or none is asked for. */
    isTrusted: ({ headers }: IncomingMessage): boolean => hasToken(headers),
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

/** Digests have one length, so comparing them takes the same time whatever was given. */
const digest = (token: string) => createHash("sha256").update(token).digest()

/** A `Host` without its port. */
const hostname = (host: string): string => host.toLowerCase().replace(/:\d+$/, "")
