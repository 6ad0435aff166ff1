import { connect } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { loadSettings } from "../../src/config/Settings.js"
import { layer as inlineWriter } from "../../src/hub/inlineWriter.js"
import { startHub } from "../../src/hub/startHub.js"
import { temporaryFolder } from "../support/stores.js"

const isListening = (port: number): Effect.Effect<boolean> =>
  Effect.async((resume) => {
    const socket = connect({ host: "127.0.0.1", port })
    socket.once("connect", () => resume(Effect.succeed(true)))
    socket.once("error", () => resume(Effect.succeed(false)))
    return Effect.sync(() => socket.destroy())
  })

describe("startHub", () => {
  it.live("lets go of its port with the scope", () =>
    Effect.gen(function* () {
      const workspace = yield* temporaryFolder
      const { settings } = yield* loadSettings({ workspace, environment: {}, flags: { "http.port": "0" } })
      const port = yield* Effect.scoped(
        Effect.gen(function* () {
          const hub = yield* startHub(settings, "test", { writer: inlineWriter })
          expect(yield* isListening(hub.port)).toBe(true)
          return hub.port
        })
      )
      expect(yield* isListening(port)).toBe(false)
    }).pipe(Effect.scoped)
  )
})
