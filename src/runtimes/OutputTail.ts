/** The last bytes that a process wrote, as text. */

/** contracts: senses and workflows 2.3 */
const maxBytes = 4_096

export class OutputTail {
  #bytes = Buffer.alloc(0)

  add(chunk: Buffer): void {
    const joined = Buffer.concat([this.#bytes, chunk.subarray(-maxBytes)])
    this.#bytes = joined.subarray(-maxBytes)
  }

  /** Without the rest of a character that the limit cut in two. */
  get text(): string {
    return new TextDecoder().decode(this.#bytes).replace(/^\uFFFD+/, "")
  }
}
