/** The followers of a journal, all in one process. Each checks that every event comes once and in order. */
import { get, type IncomingMessage } from "node:http"
import { serveJobs } from "./Helper.js"

export type FollowersJob =
  /** Lets go of the followers before and connects new ones. Answers once all are connected. */
  | { readonly step: "connect"; readonly port: number; readonly followers: number }
  /** Answers once every follower has come to an offset. */
  | { readonly step: "await"; readonly upTo: number }

export interface FollowersAnswer {
  /** The offset that all of them began after. */
  readonly after: number
  /** Events that any of them did not get, or got twice, or in another order. */
  readonly missed: number
}

class Follower {
  /** The last offset that has arrived; undefined until the greeting has. */
  offset: number | undefined
  received = 0
  missed = 0
  #rest = ""

  constructor(
    private readonly response: IncomingMessage,
    private readonly onProgress: () => void
  ) {
    response.setEncoding("latin1")
    response.on("data", (text: string) => this.#take(text))
  }

  close(): void {
    this.response.destroy()
  }

  /** Frames end with an empty line; what is behind the last one is the beginning of another. */
  #take(text: string): void {
    const all = this.#rest + text
    const end = all.lastIndexOf("\n\n")
    this.#rest = all.slice(end + 2)
    if (end < 0) return
    let start = 0
    while (start < end) {
      this.#frame(all, start)
      start = all.indexOf("\n\n", start) + 2
    }
    this.onProgress()
  }

  #frame(text: string, start: number): void {
    if (text.startsWith("id: ", start)) {
      const offset = Number.parseInt(text.slice(start + "id: ".length, start + maxIdLength), 10)
      if (offset !== (this.offset ?? 0) + 1) this.missed += 1
      this.received += 1
      this.offset = offset
    } else if (text.startsWith(": from ", start)) {
      this.offset = Number.parseInt(text.slice(start + ": from ".length, start + maxIdLength), 10)
    }
  }
}

const maxIdLength = 24

let followers: ReadonlyArray<Follower> = []
let onProgress = () => {}

/** Resolves once it is true of every follower. */
const untilEach = (isSo: (follower: Follower) => boolean): Promise<void> =>
  new Promise((resolve) => {
    onProgress = () => {
      if (!followers.every(isSo)) return
      onProgress = () => {}
      resolve()
    }
    onProgress()
  })

const connect = (port: number): Promise<Follower> =>
  new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path: "/journal?live=true", agent: false }, (response) =>
      resolve(new Follower(response, () => onProgress()))
    ).once("error", reject)
  })

serveJobs<FollowersJob, FollowersAnswer>(async (job) => {
  if (job.step === "connect") {
    for (const follower of followers) follower.close()
    followers = await Promise.all(Array.from({ length: job.followers }, () => connect(job.port)))
    await untilEach(({ offset }) => offset !== undefined)
  } else await untilEach(({ offset }) => (offset ?? 0) >= job.upTo)
  return {
    after: followers[0]?.offset ?? 0,
    missed: followers.reduce((sum, { missed }) => sum + missed, 0)
  }
})
