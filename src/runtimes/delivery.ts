/** How a session is handed a message: a line on its standard input, or a paste into its screen (contracts: peers 3.5, 4). */
import { Effect } from "effect"
import type { AcceptedMessage } from "../actors/presence/PresenceEvent.js"
import type { RuntimeConfig } from "../config/RuntimeConfig.js"
import { encodeEnvelope } from "./envelope.js"
import { messageLine, seedLine } from "./messageLine.js"
import type { PeerWorld } from "./PeerWorld.js"
import { writeLine } from "./ProcessHost.js"
import type { SessionFolder } from "./SessionFolder.js"

/** Hands over a text; completes with whether the session's end took it. */
export type HandOver = (text: string) => Effect.Effect<boolean>

export const handOver = (
  world: PeerWorld,
  identity: string,
  folder: SessionFolder,
  { deliver, submit, settleMs }: RuntimeConfig
): HandOver =>
  deliver === "stdin"
    ? (text) => Effect.as(writeLine(folder, world.sessions.of(folder.sessionId), text), true)
    : (text) =>
        Effect.match(
          Effect.gen(function* () {
            yield* world.tmux.paste(identity, text)
            // A program may take a moment to see that the paste is over: a key that comes with it would be a part of it.
            yield* Effect.sleep(settleMs)
            yield* world.tmux.press(identity, submit)
          }),
          // Its screen is gone: its end is somebody else's to notice.
          { onFailure: () => false, onSuccess: () => true }
        )

/** A message in the format that the runtime reads. */
export const messageText = (
  { format }: RuntimeConfig,
  message: AcceptedMessage,
  attempt: number,
  attachments: ReadonlyArray<string>
): string => {
  const { from, sentAt, topic, messageId, replyTo, body } = message
  switch (format) {
    case "json":
      return messageLine(message, attempt, attachments)
    case "text":
      return [body, ...attachments].join("\n")
    case "envelope":
      return encodeEnvelope({
        from,
        sentAt,
        topic: topic ?? undefined,
        messageId,
        replyTo: replyTo ?? undefined,
        attempt,
        attachments,
        body
      })
  }
}

export const seedText = ({ format }: RuntimeConfig, seed: string): string =>
  format === "json" ? seedLine(seed) : seed
