/** What this process knows of sessions besides the journal: what may be lost with it, and what must not be written down. */
import { createHash, randomBytes } from "node:crypto"
import { Effect } from "effect"
import type { Exit, SessionFolder } from "./SessionFolder.js"

/** One session, as this process has met it. */
export class SessionMemory {
  /** Started by this process: its end is seen when it comes, not found afterwards. */
  isOwn = false
  /** Its end has begun: nothing may be started for it any more. */
  isOver = false
  /** Something was written to it that may not have been a whole line. */
  isMidLine = true
  /** How the wrapper ended, if this process saw it. */
  wrapperExit: Exit | undefined
  /** Newest request that came with its token. */
  requestedAt = 0
  #onChange: (() => void) | undefined
  readonly #lock = Effect.unsafeMakeSemaphore(1)

  /** Starting and ending a session's process exclude each other. */
  exclusively<A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return this.#lock.withPermits(1)(work)
  }

  onChange(listener: (() => void) | undefined): void {
    this.#onChange = listener
  }

  changed(): void {
    this.#onChange?.()
  }
}

export class Sessions {
  readonly #memories = new Map<string, SessionMemory>()
  readonly #byToken = new Map<string, string>()

  of(sessionId: string): SessionMemory {
    const known = this.#memories.get(sessionId)
    if (known) return known
    const memory = new SessionMemory()
    this.#memories.set(sessionId, memory)
    return memory
  }

  forget(sessionId: string): void {
    this.#memories.delete(sessionId)
    for (const [digest, id] of this.#byToken) if (id === sessionId) this.#byToken.delete(digest)
  }

  /** A session's secret, made when it is first needed, and the digest that may be written down. */
  token(folder: SessionFolder): { readonly token: string; readonly sha256: string } {
    let token = folder.read("token")
    if (!token) {
      token = randomBytes(32).toString("base64url")
      folder.write("token", token)
    }
    const sha256 = digest(token)
    this.#byToken.set(sha256, folder.sessionId)
    return { token, sha256 }
  }

  /** The session that a token is of. */
  withToken(token: string): string | undefined {
    // Looked up by digest: how long that takes says nothing about the token.
    return this.#byToken.get(digest(token))
  }

  /** The same for a request: what a session asks is activity of it. */
  requested(token: string, at: number): string | undefined {
    const sessionId = this.withToken(token)
    if (sessionId !== undefined) this.of(sessionId).requestedAt = at
    return sessionId
  }
}

const digest = (token: string): string => createHash("sha256").update(token).digest("hex")
