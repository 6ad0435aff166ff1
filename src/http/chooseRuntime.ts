/** The runtime that is meant when none is named: the only one, else the default if it is up, else the only one that is up. */
export const chooseRuntime = (
  presences: ReadonlyArray<{ readonly name: string; readonly status: string }>,
  defaultRuntime: string
): string => {
  const runtimeOf = ({ name }: { readonly name: string }) => name.slice(0, name.indexOf("-"))
  const live = presences.filter(({ status }) => status === "live").map(runtimeOf)
  if (presences[0] && presences.length === 1) return runtimeOf(presences[0])
  if (live.includes(defaultRuntime)) return defaultRuntime
  return live.length === 1 ? (live[0] as string) : defaultRuntime
}
