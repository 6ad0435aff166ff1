/** Reads a request's body into one piece, counting while it comes: what is too large is not kept. */
import type { IncomingMessage } from "node:http"
import { Effect } from "effect"

/** The body is larger than the limit; the rest of it was not read. */
export class BodyTooLarge {
  readonly _tag = "BodyTooLarge"
  constructor(readonly limit: number) {}
}

/** The bytes of the body, joined before anything decodes them. Never completes when the client goes away half-way. */
export const readBody = (request: IncomingMessage, limit: number): Effect.Effect<Buffer, BodyTooLarge> =>
  Effect.async((resume) => {
    if (Number(request.headers["content-length"] ?? 0) > limit) {
      resume(Effect.fail(new BodyTooLarge(limit)))
      return
    }
    const chunks: Array<Buffer> = []
    let bytes = 0
    const onData = (chunk: Buffer) => {
      bytes += chunk.length
      chunks.push(chunk)
      if (bytes <= limit) return
      request.off("data", onData)
      chunks.length = 0
      resume(Effect.fail(new BodyTooLarge(limit)))
    }
    request.on("data", onData)
    request.once("end", () =>
      resume(Effect.succeed(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)))
    )
  })
