import { it } from "@effect/vitest"
import { Effect } from "effect"
import { type HubOptions, startedHub, type TestHub } from "./hub.js"

/** A test against a hub of its own. */
export const onHub = (
  name: string,
  body: (hub: TestHub) => Promise<void>,
  options: HubOptions = {},
  timeoutMs?: number
): void =>
  it.live(
    name,
    () => Effect.scoped(Effect.flatMap(startedHub(options), (hub) => Effect.promise(() => body(hub)))),
    timeoutMs
  )
