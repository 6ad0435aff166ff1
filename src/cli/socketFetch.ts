/** `fetch` over a Unix socket, which the platform's own has no way to be told of. */
import { request } from "node:http"
import { Readable } from "node:stream"

/** A `fetch` whose requests all go to the socket at a path; the host of their urls is what they are told, not where they go. */
export const socketFetch =
  (socketPath: string): typeof fetch =>
  (input, init) =>
    new Promise<Response>((resolve, reject) => {
      const asked = new Request(input, {
        ...init,
        ...(init?.body != null && { duplex: "half" })
      } as RequestInit)
      const headers = Object.fromEntries(asked.headers)
      const sent = request(asked.url, { socketPath, method: asked.method, headers, signal: asked.signal })
      // What the platform's own says of a connection that fails: who called looks for the code in its cause.
      sent.on("error", (cause) => reject(new TypeError("fetch failed", { cause })))
      sent.on("response", (response) => {
        const { statusCode: status = 0, headersDistinct } = response
        const isEmpty = status === 204 || status === 304
        if (isEmpty) response.resume()
        const names = Object.entries(headersDistinct).flatMap(([name, values = []]) =>
          values.map((value): [string, string] => [name, value])
        )
        const body = isEmpty ? null : (Readable.toWeb(response) as ReadableStream<Uint8Array>)
        resolve(new Response(body, { status, headers: names }))
      })
      asked
        .arrayBuffer()
        .then((body) => sent.end(body.byteLength === 0 ? undefined : Buffer.from(body)), reject)
    })
