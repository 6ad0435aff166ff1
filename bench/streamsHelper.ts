/**
 * Writer and readers of a stream, in one process, so that one clock says how long each message was on its way. It speaks to the hub
 * and to the reference alike: messages are found by the numbers that they carry.
 */
import { Agent, get, type IncomingMessage, request } from "node:http"
import { serveJobs } from "./Helper.js"
import { mark } from "./mark.js"

export interface Place {
  readonly port: number
  /** Where messages go, and what they are read from. */
  readonly post: string
  readonly read: string
  /** A command of the hub holds its mark in a field. */
  readonly isCommand: boolean
}

export type StreamsJob = Place &
  (
    | {
        readonly step: "fan out"
        readonly readers: number
        readonly messages: number
        readonly perSecond: number
      }
    | { readonly step: "fill"; readonly messages: number }
    | { readonly step: "catch up"; readonly messages: number }
  )

export interface StreamsAnswer {
  readonly tookMs: number
  /** How long messages were on their way, ms, the quickest first. */
  readonly latenciesMs: ReadonlyArray<number>
  /** Messages that a reader did not get. */
  readonly missed: number
}

const openAgent = () => new Agent({ keepAlive: true, maxSockets: 64 })
/** One a job: a connection that nobody used for a while may be closed by its server in the moment in which it is used again. */
let agent = openAgent()
let made = 0
const wordOf = (number: number): string => `message-${number}-`
const wordPattern = /message-(\d+)-/g
/** Of a word that a chunk may end in the middle of. */
const maxWord = 24

const post = ({ port, post: path, isCommand }: Place, number: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const message = mark(wordOf(number))
    const body = JSON.stringify(isCommand ? { record: message } : message)
    const headers = { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) }
    const sent = request({ host: "127.0.0.1", port, path, method: "POST", agent, headers }, (response) => {
      response.resume()
      response.on("end", () =>
        (response.statusCode ?? 500) < 300
          ? resolve()
          : reject(new Error(`POST ${path}: ${response.statusCode}`))
      )
    })
    sent.on("error", reject)
    sent.end(body)
  })

/** Messages arrive in the order in which they were committed; of those that were sent at once that may be any. */
class Reader {
  readonly #seen = new Set<number>()
  #rest = ""

  constructor(
    private readonly response: IncomingMessage,
    from: number,
    onMessage: (number: number) => void
  ) {
    response.setEncoding("utf8")
    // A server that cuts it off leaves messages missing, which is told in the end.
    response.on("error", () => {})
    response.on("data", (text: string) => {
      const all = this.#rest + text
      for (const [, digits] of all.matchAll(wordPattern)) {
        const number = Number(digits)
        // An event names its message several times.
        if (number < from || this.#seen.has(number)) continue
        this.#seen.add(number)
        onMessage(number)
      }
      this.#rest = all.slice(-maxWord)
    })
  }

  close(): void {
    this.response.destroy()
  }
}

const open = (port: number, path: string): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path, agent: false }, resolve).once("error", reject)
  })

const tailOf = async ({ port, read }: Place): Promise<string> => {
  const response = await open(port, `${read}?offset=now`)
  response.resume()
  return String(response.headers["stream-next-offset"])
}

const fanOut = async (job: StreamsJob & { readonly step: "fan out" }): Promise<StreamsAnswer> => {
  const { readers: count, messages, perSecond } = job
  const from = made
  made += messages
  const sentAt = new Map<number, number>()
  const latenciesMs: Array<number> = []
  let outstanding = count * messages
  let finish = () => {}
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  const offset = await tailOf(job)
  const readers: Array<Reader> = []
  for (let each = 0; each < count; each++) {
    const response = await open(job.port, `${job.read}?offset=${offset}&live=sse`)
    if (response.statusCode !== 200) throw new Error(`reader ${each}: ${response.statusCode}`)
    readers.push(
      new Reader(response, from, (number) => {
        latenciesMs.push(performance.now() - (sentAt.get(number) ?? Number.NaN))
        outstanding -= 1
        if (outstanding === 0) finish()
      })
    )
  }
  const startedAt = performance.now()
  const posts: Array<Promise<void>> = []
  for (let number = from; number < from + messages; number++) {
    const waitMs = startedAt + ((number - from) * 1_000) / perSecond - performance.now()
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
    sentAt.set(number, performance.now())
    posts.push(post(job, number))
  }
  await Promise.all(posts)
  await Promise.race([finished, new Promise((resolve) => setTimeout(resolve, 30_000).unref())])
  const tookMs = performance.now() - startedAt
  for (const reader of readers) reader.close()
  return { tookMs, latenciesMs: latenciesMs.sort((a, b) => a - b), missed: outstanding }
}

const fill = async (job: StreamsJob & { readonly step: "fill" }): Promise<StreamsAnswer> => {
  const startedAt = performance.now()
  let left = job.messages
  const work = async () => {
    while (left > 0) {
      left -= 1
      await post(job, made++)
    }
  }
  await Promise.all(Array.from({ length: 32 }, work))
  return { tookMs: performance.now() - startedAt, latenciesMs: [], missed: 0 }
}

/** Reads all that there is, once, and counts the messages in it. */
const catchUp = async (job: StreamsJob & { readonly step: "catch up" }): Promise<StreamsAnswer> => {
  const startedAt = performance.now()
  const response = await open(job.port, `${job.read}?offset=-1`)
  const chunks: Array<Buffer> = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  const tookMs = performance.now() - startedAt
  const found = (JSON.parse(Buffer.concat(chunks).toString()) as ReadonlyArray<unknown>).length
  return { tookMs, latenciesMs: [], missed: Math.max(0, job.messages - found) }
}

serveJobs<StreamsJob, StreamsAnswer>((job) => {
  agent.destroy()
  agent = openAgent()
  switch (job.step) {
    case "fan out":
      return fanOut(job)
    case "fill":
      return fill(job)
    case "catch up":
      return catchUp(job)
  }
})
