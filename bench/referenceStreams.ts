/** The public reference server of Durable Streams on its file storage, in a process of its own: `DATA` is its folder. */
import { DurableStreamTestServer } from "@durable-streams/server"

const server = new DurableStreamTestServer({ port: 0, dataDir: process.env.DATA as string })
console.log(await server.start())
