/** The client of every HTTP scenario: many connections that share a list of requests, each sending its next when it has its answer. */
import { Connection } from "./Connection.js"
import { serveJobs } from "./Helper.js"
import { mark } from "./mark.js"

/** Publishes or claims the marks of these numbers. */
export interface RequestsJob {
  readonly port: number
  readonly connections: number
  readonly verb: "publish" | "claim"
  readonly from: number
  readonly count: number
}

/** How long it took, ms, without opening the connections. */
export interface RequestsDone {
  readonly tookMs: number
}

const idOf = (number: number): string => `mark-${number}`

const request = {
  publish: (number: number) => ({
    path: "/pheromones",
    body: JSON.stringify(mark(idOf(number))),
    status: 201
  }),
  claim: (number: number) => ({ path: `/pheromones/${idOf(number)}/claim`, body: "", status: 200 })
}

serveJobs<RequestsJob, RequestsDone>(async ({ port, connections, verb, from, count }) => {
  const requests = Array.from({ length: count }, (_, index) => request[verb](from + index))
  const open = await Promise.all(Array.from({ length: connections }, () => Connection.open(port)))
  const startedAt = performance.now()
  let next = 0
  const work = async (connection: Connection) => {
    while (next < requests.length) {
      const { path, body, status } = requests[next++] as (typeof requests)[number]
      const answered = await connection.post(path, body)
      if (answered !== status) throw new Error(`POST ${path}: ${answered}, not ${status}`)
    }
  }
  await Promise.all(open.map(work))
  const tookMs = performance.now() - startedAt
  for (const connection of open) connection.close()
  return { tookMs }
})
