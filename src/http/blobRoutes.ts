/** Blobs over HTTP: raw bytes in, raw bytes out, so they stand beside the JSON protocol (contracts: senses and workflows 5). */
import type { IncomingMessage, ServerResponse } from "node:http"
import { Effect } from "effect"
import type { Blobs } from "../events/Blobs.js"
import { readBody } from "./Body.js"
import { discardBody, sendFailure, sendJson } from "./respond.js"

/** A blob never changes under its name. */
const cacheForEver = "public, max-age=31536000, immutable"
const maxUploadBytes = 16 * 1024 * 1024

export type BlobRoutes = (
  request: IncomingMessage,
  response: ServerResponse,
  path: string
) => Effect.Effect<void> | undefined

/** The work of answering, or undefined for another route. */
export const makeBlobRoutes =
  (blobs: Blobs, maxBodyBytes: number): BlobRoutes =>
  (request, response, path) => {
    const [, name] = /^\/blobs\/([^/]+)$/.exec(path) ?? []
    if (request.method === "GET" && name !== undefined) return show(blobs, response, name)
    if (request.method === "POST" && path === "/blobs") {
      return take(blobs, request, response, Math.min(maxBodyBytes, maxUploadBytes))
    }
    return undefined
  }

const show = (blobs: Blobs, response: ServerResponse, sha256: string): Effect.Effect<void> =>
  blobs.read(sha256).pipe(
    Effect.map((bytes) => {
      if (!bytes) return sendFailure(response, { _tag: "UnknownBlob", sha256 })
      response.writeHead(200, {
        "Content-Type": "application/octet-stream",
        "Content-Length": bytes.length,
        "Cache-Control": cacheForEver,
        ETag: `"${sha256.toLowerCase()}"`
      })
      response.end(bytes)
    }),
    Effect.catchTags({
      BlobCorrupt: ({ message }) =>
        Effect.sync(() => sendFailure(response, { _tag: "BlobCorrupt", sha256, problem: message })),
      BlobUnavailable: ({ problem }) =>
        Effect.sync(() => sendFailure(response, { _tag: "ReadOnly", reason: "io", detail: problem }))
    })
  )

const take = (
  blobs: Blobs,
  request: IncomingMessage,
  response: ServerResponse,
  limit: number
): Effect.Effect<void> =>
  readBody(request, limit).pipe(
    Effect.flatMap(blobs.write),
    Effect.map((written) => sendJson(response, 201, written)),
    Effect.catchAll((failure) =>
      Effect.sync(() => {
        discardBody(request, response)
        if (failure._tag === "BodyTooLarge") return sendFailure(response, { _tag: "TooLarge", limit })
        return sendFailure(response, { _tag: "ReadOnly", reason: "io", detail: failure.problem })
      })
    )
  )
