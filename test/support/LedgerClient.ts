/**
 * A client of the ledger that never forgets what it was told: it sends commands under ids of its own, keeps every answer, and sends a
 * command whose answer it did not get again under the same id, as a real client must.
 */
import { Agent, request } from "node:http"
import type { Random } from "./Random.js"

/** What a client knows of a command that it has sent. */
export interface Sent {
  readonly commandId: string
  readonly action: "publish" | "claimNext" | "claim" | "renew" | "release" | "complete" | "fail"
  readonly path: string
  readonly body: { readonly [field: string]: unknown }
  /** Undefined while no answer has come. */
  answer: Answer | undefined
}

export interface Answer {
  readonly status: number
  readonly body: { readonly [field: string]: unknown }
}

export class LedgerClient {
  readonly sent: Array<Sent> = []
  /** Answers to a repeated command that differ from the first one. */
  readonly contradictions: Array<string> = []
  readonly #held = new Map<string, number>()
  #sequence = 0

  constructor(
    readonly peer: string,
    private readonly random: Random
  ) {}

  /** Works against a hub until it is gone, or `isOver`. */
  async work(url: string, isOver: () => boolean): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    try {
      for (const sent of this.sent.filter(({ answer }) => !answer)) await this.#send(agent, url, sent)
      while (!isOver()) {
        const sent = this.#next()
        this.sent.push(sent)
        await this.#send(agent, url, sent)
        if (this.random.chance(0.1)) await this.#repeat(agent, url)
        if (this.random.chance(0.1))
          await new Promise((resolve) => setTimeout(resolve, this.random.below(20)))
      }
    } catch (error) {
      // The hub is gone; what has no answer is asked again of the next one.
      if (!isGone(error)) throw error
    } finally {
      agent.destroy()
    }
  }

  /** Gets an answer to everything that has none. */
  async settle(url: string): Promise<void> {
    await this.work(url, () => true)
  }

  #next(): Sent {
    const [held] = this.random.pick([...this.#held]) ?? []
    const token = held === undefined ? undefined : this.#held.get(held)
    const lease = { peer: this.peer, ttlMs: this.random.chance(0.2) ? 1_000 : 60_000, graceMs: 0 }
    const roll = this.random.below(100)
    if (held !== undefined && token !== undefined) {
      const path = `/claims/${encodeURIComponent(held)}`
      if (roll < 15) return this.#make("renew", `${path}/renew`, { token })
      if (roll < 30) return this.#make("complete", `${path}/complete`, { token, summary: "done" })
      if (roll < 40) return this.#make("release", `${path}/release`, { token })
      if (roll < 45) return this.#make("fail", `${path}/fail`, { token, reason: "tried", retryAfterMs: 0 })
    }
    if (roll < 75) {
      const id = `${this.peer}-${this.#sequence}`
      const record = { id, stanceTarget: "any", baseIntensity: this.random.below(1_000), decayRate: 0 }
      return this.#make("publish", "/claims", { record })
    }
    const known = this.random.pick(this.sent.filter(({ action }) => action === "publish"))
    if (roll < 82 && known) {
      const { id } = known.body.record as { readonly id: string }
      return this.#make("claim", `/claims/${encodeURIComponent(id)}/claim`, lease)
    }
    return this.#make("claimNext", "/claims/next", lease)
  }

  #make(action: Sent["action"], path: string, body: Sent["body"]): Sent {
    this.#sequence += 1
    return { commandId: `${this.peer}:${this.#sequence}`, action, path, body, answer: undefined }
  }

  async #send(agent: Agent, url: string, sent: Sent): Promise<void> {
    const answer = await post(agent, url + sent.path, sent.commandId, sent.body)
    // Nobody knows yet whether it was done: that is no answer.
    if (answer.body._tag === "OutcomeUnknown") return
    sent.answer = answer
    if (answer.status >= 300) return
    const { id, token } = answer.body as { readonly id?: string; readonly token?: number }
    if (sent.action === "claim" || sent.action === "claimNext") this.#held.set(id as string, token as number)
    if (sent.action === "complete" || sent.action === "release" || sent.action === "fail") {
      this.#held.delete(id as string)
    }
  }

  /** Sends a command that was carried out once more: it must be answered as it was. */
  async #repeat(agent: Agent, url: string): Promise<void> {
    const done = this.sent.slice(-50).filter(({ answer }) => answer && answer.status < 300)
    const sent = this.random.pick(done.filter(({ answer }) => answer?.body.recorded !== false))
    if (!sent) return
    const again = await post(agent, url + sent.path, sent.commandId, sent.body)
    if (again.status === 503) return
    const isSame = ["id", "token", "offset", "version"].every(
      (field) => again.body[field] === sent.answer?.body[field]
    )
    if (!isSame || again.status !== sent.answer?.status) {
      this.contradictions.push(
        `${sent.commandId}: ${JSON.stringify(sent.answer)}, then ${JSON.stringify(again)}`
      )
    }
  }
}

const isGone = (error: unknown): boolean =>
  /^(ECONNRESET|ECONNREFUSED|EPIPE)$/.test(String((error as { readonly code?: string }).code))

/** Sends a JSON body and reads a JSON answer, whole or not at all. */
export const post = (agent: Agent, url: string, commandId: string, body: unknown): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const headers = { "Content-Type": "application/json", "Idempotency-Key": commandId }
    const sending = request(url, { method: "POST", agent, headers }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part
      })
      response.on("error", reject)
      response.on("end", () => {
        if (response.complete) resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) })
        else reject(Object.assign(new Error("cut short"), { code: "ECONNRESET" }))
      })
    })
    sending.on("error", reject)
    sending.end(JSON.stringify(body))
  })
