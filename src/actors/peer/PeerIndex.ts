/** Quick answers about all peers together: who is registered, and who lives in a folder. Kept equal to the peers' current states. */
import { idOf, type Offset } from "../../events/Event.js"
import type { ActorState } from "../fold.js"
import type { Intelligence } from "./Identity.js"
import type { PeerContext, PeerStateName } from "./peerMachine.js"

export type PeerState = ActorState & { readonly context: PeerContext; readonly name: PeerStateName }

/** What is kept of a peer in memory. */
export interface ListedPeer {
  readonly personality: string
  readonly incarnation: Offset
  readonly cwd: string
  readonly runtimes: ReadonlyArray<string>
  readonly defaultRuntime: string
  readonly intelligence: Intelligence
  readonly restart: "onDemand" | "always"
  readonly resume: "topic" | "always" | "never"
  readonly wake: "shared" | "ephemeral"
}

export class PeerIndex {
  readonly #peers = new Map<string, ListedPeer>()
  readonly #byCwd = new Map<string, Set<string>>()

  /** Takes over how things stand in the journal, at start. */
  seed(peers: Iterable<ListedPeer>): void {
    for (const peer of peers) this.#put(peer)
  }

  update(before: PeerState, after: PeerState): void {
    if (before.context === after.context) return
    this.#drop(idOf(after.stream))
    const { incarnation, registration } = after.context
    if (incarnation === null || registration === null) return
    const { personality, cwd, runtimes, defaultRuntime, intelligence, restart, resume, wake } = registration
    this.#put({
      personality,
      incarnation,
      cwd,
      runtimes,
      defaultRuntime,
      intelligence,
      restart,
      resume,
      wake
    })
  }

  get size(): number {
    return this.#peers.size
  }

  get(personality: string): ListedPeer | undefined {
    return this.#peers.get(personality)
  }

  all(): Iterable<ListedPeer> {
    return this.#peers.values()
  }

  /** The peers that live in a folder. */
  inFolder(cwd: string): ReadonlyArray<ListedPeer> {
    return [...(this.#byCwd.get(cwd) ?? [])].map((name) => this.#peers.get(name) as ListedPeer)
  }

  #put(peer: ListedPeer): void {
    this.#peers.set(peer.personality, peer)
    this.#byCwd.set(peer.cwd, (this.#byCwd.get(peer.cwd) ?? new Set()).add(peer.personality))
  }

  #drop(personality: string): void {
    const peer = this.#peers.get(personality)
    if (!peer) return
    this.#peers.delete(personality)
    const neighbours = this.#byCwd.get(peer.cwd)
    neighbours?.delete(personality)
    if (neighbours?.size === 0) this.#byCwd.delete(peer.cwd)
  }
}
