/** What work looks like from outside: its name, how long it took, and what it was part of. Said only where somebody listens. */
import type { Effect } from "effect"

export interface SpanOptions {
  readonly kind?: "server"
  /** From closed sets: no ids, no payloads, nothing that somebody sent. */
  readonly attributes?: { readonly [name: string]: string | number }
  /** Known only when the work has ended. */
  readonly outcome?: () => { readonly [name: string]: string | number }
  /** The caller's own span, from `traceparent`. */
  readonly parent?: string | undefined
}

export interface Tracing {
  /** The same work, told of as a span; a part of the span that it runs in. */
  readonly span: <A, E, R>(
    name: string,
    work: Effect.Effect<A, E, R>,
    options?: SpanOptions
  ) => Effect.Effect<A, E, R>
}

/** Nobody listens, and nothing is paid for it. */
export const noTracing: Tracing = { span: (_name, work) => work }
