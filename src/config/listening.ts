/** Who listens to whom must not come round: a signal that leads back to its own sense would never end. */
import type { Place, YamlReader } from "./YamlReader.js"

export interface Listening {
  readonly listener: string
  readonly heard: string
  readonly place: Place
}

/** Names each ring once, at the entry that closes it. */
export const checkCycles = (reader: YamlReader, listenings: ReadonlyArray<Listening>): void => {
  const heardBy = new Map<string, Array<Listening>>()
  for (const listening of listenings) {
    const others = heardBy.get(listening.listener)
    if (others) others.push(listening)
    else heardBy.set(listening.listener, [listening])
  }
  const finished = new Set<string>()
  const path: Array<string> = []

  const visit = (sense: string): void => {
    path.push(sense)
    for (const { heard, place } of heardBy.get(sense) ?? []) {
      const start = path.indexOf(heard)
      if (start >= 0) {
        const ring = [...path.slice(start), heard].join(" on ")
        reader.error(place, "cycle", `signals would go round for ever: ${ring}`, "remove one of these")
      } else if (!finished.has(heard)) visit(heard)
    }
    path.pop()
    finished.add(sense)
  }
  for (const sense of heardBy.keys()) if (!finished.has(sense)) visit(sense)
}
