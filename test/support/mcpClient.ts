/** An agent that uses the hub by the Model Context Protocol, with the SDK's own client. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { Effect, type Scope } from "effect"

/** The SDK's own client, as an agent has it. */
export const clientOf = (
  hub: { readonly url: string },
  headers: { readonly [name: string]: string }
): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client({ name: "test", version: "1" })
      const transport = new StreamableHTTPClientTransport(new URL(`${hub.url}/mcp`), {
        requestInit: { headers }
      })
      await client.connect(transport as never)
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )

export interface Result {
  readonly isError?: boolean
  readonly content: ReadonlyArray<{ readonly text: string }>
  readonly structuredContent: { readonly [key: string]: unknown }
}

export const call = (client: Client, name: string, given: object): Effect.Effect<Result> =>
  Effect.promise(() => client.callTool({ name, arguments: { ...given } }) as Promise<never>)
